"""What comes back: bounces, complaints and auto-replies read from bytes. Pure."""
