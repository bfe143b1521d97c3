"""Golden files of seven editions: HTML, text and message. `pytest --regenerate` rewrites them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from editions import GOLDEN_EDITIONS, NONCE, UNSUBSCRIBE_PLACEHOLDER, cast
from message_rules import broken_rules

from digestmail.mail.render import Renderer

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
RENDERER = Renderer(random_token=lambda: NONCE)


def masked(raw: bytes) -> bytes:
    """Return the message with what differs between sendings masked."""
    for header in (b"Message-ID", b"Date"):
        raw = re.sub(rb"(?m)^" + header + rb": [^\r]*", header + b": masked", raw)
    (boundary,) = re.findall(rb'boundary="([^"]+)"', raw)
    return raw.replace(boundary, b"masked-boundary")


def readable(html: str) -> str:
    """Return the HTML with a line end before every block, so that a difference shows where it is."""
    return re.sub(r"(?=<(?:tr|table|h[1-3]|p|div|img|style|meta)\b)", "\n", html) + "\n"


@pytest.mark.parametrize("name", GOLDEN_EDITIONS)
def test_an_edition_renders_to_its_golden_file(name, request):
    of, look, language = GOLDEN_EDITIONS[name]
    rendered = RENDERER.render(of, of.sections, base_url="https://digest.example.org", language=language, look=look)
    raw = cast(rendered, title=of.title)
    made = {
        f"{name}.html": readable(rendered.html).encode(),
        f"{name}.txt": rendered.text.encode(),
        f"{name}.eml": masked(raw),
    }
    if request.config.getoption("--regenerate"):
        for file, content in made.items():
            (GOLDEN / file).write_bytes(content)

    assert broken_rules(raw) == []
    for file, content in made.items():
        assert content == (GOLDEN / file).read_bytes(), f"{file} differs: pytest --regenerate, and read the difference"
    assert UNSUBSCRIBE_PLACEHOLDER in rendered.html
