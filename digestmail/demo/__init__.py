"""The stage of the demo: services to read from and a mail server to deliver to, all on this machine."""
