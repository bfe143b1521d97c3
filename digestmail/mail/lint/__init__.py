"""The lint rules for the bytes of one message. Pure; the entry point is `rules.lint`."""
