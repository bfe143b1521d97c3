"""Bounces: what comes back, by mailbox or webhook, is read, judged and counted towards suppression.

SMTP replies are judged in `transports/smtp`; no message is sent from here.
"""
