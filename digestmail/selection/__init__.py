"""Selection: pure decisions about which papers an edition contains, in which order and under which topics."""
