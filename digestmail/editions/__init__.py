"""Editions: compose what is due, publish it with its outbox, and say what each reader gets of it.

Which papers are chosen is decided in `selection`; nothing is sent from here.
"""
