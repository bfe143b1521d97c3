"""Papers: which mentions are one paper, and what they know together. Pure; storage and sources call it."""
