"""Delivery: claim, send and record what the outbox holds.

Sockets are in `transports`, SQL in `storage`, the text of a message in `mail`.
"""
