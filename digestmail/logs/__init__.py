"""What a log line looks like and where it goes: text or JSON, the number of the run, the mail log. No events."""
