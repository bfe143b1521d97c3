"""Schedule: which slot is due, and when arXiv announces. Pure; the time is an argument."""
