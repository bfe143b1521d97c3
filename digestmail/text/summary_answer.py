"""Reads the summary out of the answer of a language model, as lenient as possible; `summary_check` is the strict part.

Models put JSON into code fences, write a sentence before it, think aloud first, or mark words with asterisks.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from typing import Any, Final

_LONGEST: Final = 100_000
"""Characters of an answer that are looked at: reasoning may be long."""
_MOST_STARTS: Final = 200
_POINTS: Final = 3
_LONGEST_TEXT: Final = 2_000
_SENTENCE_KEYS: Final = ("sentence", "summary", "tldr", "tl;dr")
_POINT_KEYS: Final = ("points", "key_points", "keypoints", "bullets")
_THOUGHT: Final = re.compile(
    r"\A.*(?:</(?:think|thinking|thought|reasoning|analysis)>|<\|message\|>|\[/THINK\])", re.DOTALL | re.IGNORECASE
)
"""Everything up to the end of the last thought. Templates may put its beginning into the prompt."""
_UNFINISHED: Final = re.compile(r"<(?:think|thinking|thought|reasoning|analysis)>", re.IGNORECASE)
_END_MARK: Final = re.compile(r"<\|(?:end|return|im_end|eot_id)\|>\s*\Z")
_BULLET: Final = re.compile(r"\A\s*(?:[-*\u2022\u2013\u2014\u00b7]|\(?\d{1,2}[.)])\s+")
_EMPHASIS: Final = re.compile(r"(\*\*|__|`)(?=\S)(.+?)(?<=\S)\1")


def read_summary(answer: str) -> tuple[str, tuple[str, ...]]:
    """Return the sentence and three points, or no points if there are fewer. Raises ValueError, a phrase.

    They are in normalization form C, in single lines, without bullets and emphasis.
    """
    text = _THOUGHT.sub("", answer[:_LONGEST], count=1)
    if _UNFINISHED.search(text):
        raise ValueError("only thoughts")
    for found in _objects(_END_MARK.sub("", text)):
        sentence = _plain(_first(found, _SENTENCE_KEYS))
        if sentence:
            points = tuple(filter(None, map(_plain, _list(_first(found, _POINT_KEYS)))))
            return sentence, points[:_POINTS] if len(points) >= _POINTS else ()
    raise ValueError("no JSON object with a sentence")


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """Yield the outermost JSON objects of `text`, the last one first: models may show an example before."""
    decoder, start = json.JSONDecoder(strict=False), 0
    found: list[dict[str, Any]] = []
    for _ in range(_MOST_STARTS):
        start = text.find("{", start)
        if start < 0:
            break
        try:
            value, start = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            start += 1
        else:
            found.append(value)
    yield from reversed(found)


def _first(found: dict[str, Any], keys: tuple[str, ...]) -> Any:
    lowered = {key.lower(): value for key, value in found.items()}
    return next((lowered[key] for key in keys if key in lowered), None)


def _list(value: Any) -> list[Any]:
    """Return the points of a list of texts, of objects with one text each, or of the lines of one text."""
    items = value.splitlines() if isinstance(value, str) else value if isinstance(value, list) else []
    return [next(iter(item.values())) if isinstance(item, dict) and len(item) == 1 else item for item in items]


def _plain(value: Any) -> str:
    if not isinstance(value, str):
        return ""
    line = _EMPHASIS.sub(r"\2", _BULLET.sub("", value[:_LONGEST_TEXT]))
    return " ".join(unicodedata.normalize("NFC", line).split())
