"""Model: the frozen values that the rooms hand to each other. No input or output, and no decisions."""
