"""Config: the TOML file as checked values, with every problem reported at once. Only app and the doors read it."""
