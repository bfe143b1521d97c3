"""Citations: papers as BibTeX, RIS and CSL-JSON, for reference managers. Pure: values in, text out."""
