"""Lists of tags, as DKIM keys and DMARC records have them (RFC 6376 section 3.2). Pure."""

from __future__ import annotations


def parse_tags(record: str) -> dict[str, str] | None:
    """Return the tags of a record in order; the first one counts if a name occurs twice.

    None if a part of it is not a tag at all.
    """
    tags: dict[str, str] = {}
    for part in record.split(";"):
        if not part.strip():
            continue
        name, sign, value = part.partition("=")
        if not sign or not name.strip():
            return None
        tags.setdefault(name.strip(), value.strip())
    return tags
