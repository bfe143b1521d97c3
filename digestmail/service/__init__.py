"""`digestmail up` and `digestmail worker`: the parts of one process, and what starts, reloads, restarts and stops them.

No business rules.
"""
