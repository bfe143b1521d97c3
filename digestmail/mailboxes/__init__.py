"""Where what comes back arrives: a Maildir, an mbox, an IMAP folder, or a listener of our own."""
