"""Storage: everything that is SQL."""
