"""Bounces and complaints from the JSON webhooks of email providers. Pure."""
