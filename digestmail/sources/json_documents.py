"""From the bytes of a JSON document to its values."""

from __future__ import annotations

import json
from typing import Any

from digestmail.errors import SourceUnreadableError
from digestmail.sources.bounds import check_json
from digestmail.sources.encoding import decode
from digestmail.sources.parsed import beginning
from digestmail.sources.web_page import instead_of_a_feed


def parse_json(body: bytes, content_type: str = "", url: str = "") -> Any:
    """Return the value of a JSON document that was fetched from `url`.

    Raises SourceUnreadableError if it is no JSON, says which web page it is instead, or is too expensive to read.
    """
    try:
        document = decode(body, content_type).lstrip("\ufeff")
        check_json(document)
        return json.loads(document)
    except (ValueError, RecursionError) as error:
        page = instead_of_a_feed(body, content_type, url)
        raise SourceUnreadableError(page or f"not JSON ({error}): {beginning(body)}") from error
