"""Schedule: which slot is due, and when arXiv announces. Pure; no clock is read here."""
