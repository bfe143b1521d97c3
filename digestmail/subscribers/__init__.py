"""Subscribers: sign up, change preferences, pause, unsubscribe, import, export, erase.

This package contains no SQL (see `storage`) and no pages (see `web`).
"""
