"""Sends published editions to outputs beside email: webhooks, chats, files, Zotero. Nothing about readers enters it."""
