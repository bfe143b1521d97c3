"""Selection: pure decisions on which papers an edition has, in which order, under which topic."""
