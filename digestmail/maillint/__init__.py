"""The rules of a correct digest mail, checked on the bytes of one cast message. Pure; the door is `lint.lint`."""
