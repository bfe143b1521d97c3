"""`python -m digestmail`: the same as `digestmail`."""

from __future__ import annotations

from digestmail.cli.main import main

if __name__ == "__main__":
    main()
