"""The door on the web: pages, feeds and an API over what is stored."""
