"""Sources: what speaks HTTP to a feed and knows a feed's format."""
