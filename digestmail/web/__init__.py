"""The web interface: pages, feeds and the API."""
