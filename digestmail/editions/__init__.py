"""Editions: composes and publishes what is due, and determines what each subscriber gets of it.

The papers are chosen in `selection`. This package sends nothing.
"""
