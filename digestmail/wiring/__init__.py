"""Wiring: creates what operations need from the configuration. Only used by `app`; it decides and stores nothing."""
