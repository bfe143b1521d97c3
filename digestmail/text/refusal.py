"""What makes two refusals of mail servers the same. Pure."""

from __future__ import annotations

import re
from typing import Final

from digestmail.text.addresses import split_address

_WORDS: Final = 12
"""Words that tell one refusal from another; session ids and addresses to write to come behind them."""
_TOKEN = re.compile(r"\S+")
_EDGES = "<>()[]{}\"'`,;:.!?-=*#"
_WORD = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*")
_CODE = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")


def reason_of(status: str | None, text: str, address: str) -> str:
    """Return what makes two refusals the same: the status and the words, without addresses, hosts, ids and numbers."""
    code = status or next(iter(_CODE.findall(text)), "")
    local = set(_WORD.findall(split_address(address)[0].casefold()))
    words: list[str] = []
    for token in _TOKEN.findall(text[:1000].casefold()):
        bare = token.strip(_EDGES)
        if _WORD.fullmatch(bare) and bare not in local:
            words.append(bare)
            if len(words) == _WORDS:
                break
    return " ".join([code, *words]).strip()
