"""The rules of a correct digest mail, checked on the bytes of one message. Pure; the entry point is `rules.lint`."""
