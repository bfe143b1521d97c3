"""Bounces: reads reports from mailboxes and webhooks, classifies them and suppresses addresses.

SMTP replies are classified in `transports/smtp`. This package sends no messages.
"""
