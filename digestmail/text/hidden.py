"""Characters that people do not see, and texts that talk to a language model instead of to people."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_JOINERS: Final = frozenset("\u200c\u200d")
"""Persian, Hindi and others are written with them."""
_VARIATIONS: Final = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_MODEL: Final = r"(?:ai|llms?|language models?|assistants?|chatbots?|summari[sz]ers?|ai reviewers?)"
_ANSWER: Final = r"your (?:summary|output|answer|response|reply|review)"
_TO_A_MODEL: Final = re.compile(
    r"<\|[a-z_]+\|>|\[/?inst\]|<</?sys>>|<(?:start|end)_of_turn>"
    r"|\b(?:ignore|disregard|forget|override|bypass)\b[^.!?]{0,20}\b(?:previous|prior|preceding|earlier|all|any|these|your|the)\b"
    r"[^.!?]{0,20}\b(?:instructions?|prompts?|guidelines|(?:text|everything) above)\b"
    r"|\b(?:system|hidden|developer) (?:prompt|message|instructions?)\b"
    r"|\bas an? (?:ai|artificial intelligence|large language model|llm)(?: language)?(?: model| assistant)?, ?i\b"
    r"|(?:^|[.!?] )(?:system|assistant|user|developer) ?: "
    rf"|\b(?:note|message|instructions?) (?:to|for) (?:the |all |any )?{_MODEL} ?[:!]"
    rf"|\b(?:dear|attention:) {_MODEL} ?[:,!]"
    rf"|\b(?:if|when|as) you are (?:an? |the )?{_MODEL}\b|\byou are (?:now )?(?:an? |the ){_MODEL}\b"
    rf"|\b(?:in|into|to|with|of) {_ANSWER}\b|\b{_ANSWER} (?:must|should|has to|needs to|may)\b"
    r"|\bwhen (?:you )?summari[sz](?:e|ing) this\b"
    r"|\b(?:give|write|only)\b[^.!?]{0,20}\bpositive (?:review|summary|evaluation)\b",
    re.IGNORECASE,
)
"""Chat templates, and sentences that give orders to a model. A paper that quotes them matches, too."""


def without_hidden(text: str) -> str:
    """Return `text` without control, format and private characters, each run of white space as one space.

    Tag characters and variation selectors can carry a text that only a model reads (Unicode Technical Report 36).
    """
    spaced = "".join(" " if one.isspace() else one for one in text)
    shown = (one for one in spaced if one in _JOINERS or unicodedata.category(one) not in _UNSEEN)
    return " ".join(_VARIATIONS.sub("", "".join(shown)).split())


def talks_to_a_model(text: str) -> bool:
    """Return whether `text` contains what reads as an order to a language model, or the marks of a chat template."""
    return _TO_A_MODEL.search(unicodedata.normalize("NFKC", without_hidden(text))) is not None
