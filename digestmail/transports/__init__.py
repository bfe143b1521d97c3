"""Transports: what carries a finished message out of the house."""
