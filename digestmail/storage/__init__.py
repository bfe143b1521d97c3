"""Storage: all SQL."""
