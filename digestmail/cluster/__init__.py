"""Workers on many machines share the work as jobs, in PostgreSQL, through the library Procrastinate.

What a job acts on is in digestmail's own tables, and they decide: jobs only say when to look.
"""
