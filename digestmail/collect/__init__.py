"""Collect: reads every source, stores the results, and determines the health of sources."""
