"""digestmail: trending papers in your inbox, from your own server."""
