"""Subscribers: sign up, choose, pause, leave, import, export, erase. The doors call these verbs.

No SQL (see `storage`) and no pages (see `web`).
"""
