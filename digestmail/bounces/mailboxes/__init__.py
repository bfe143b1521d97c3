"""The places inbound reports arrive: a Maildir, an mbox, an IMAP folder, or an LMTP listener."""
