"""The operator's pages: status, deliveries, subscribers, and forms that act on them. They need the admin token."""
