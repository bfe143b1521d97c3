"""digestmail: trending papers in your inbox, from your own server."""

__version__ = "0.1.0"
