"""Collect: read every source, store what it showed, and judge how the reading went."""
