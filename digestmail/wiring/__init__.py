"""Wiring: makes what the verbs need from the configuration. Only `app` calls it; it decides and stores nothing."""
