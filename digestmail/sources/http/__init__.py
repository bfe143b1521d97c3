"""The one HTTP client of all sources: polite to servers, guarded against what they answer."""
