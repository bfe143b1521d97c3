"""Model: frozen values that the packages exchange. No input or output, and no decisions."""
