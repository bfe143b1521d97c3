"""The environment of the demo: sources and a mail server, all on this machine."""
