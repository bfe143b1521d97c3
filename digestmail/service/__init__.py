"""`digestmail up`: the parts of one process, and what starts, reloads, restarts and stops them. No business rules."""
