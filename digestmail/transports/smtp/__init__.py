"""SMTP and LMTP: connections, transactions, and what replies mean."""
