"""What docs/outputs.md shows about webhooks is what is sent, and its receiver works."""

from __future__ import annotations

import json
import re
import threading
from http.server import HTTPServer
from pathlib import Path
from typing import Any

import pytest
from fakes import THURSDAY
from output_receiving import OTHER_SECRET, SECRET, at_time, http_settings, message, published

from digestmail.errors import OutputError
from digestmail.outputs.content import content_of
from digestmail.outputs.webhook import Webhook, payload

PAGE = (Path(__file__).resolve().parents[2] / "docs/outputs.md").read_text("utf-8")
(EXAMPLE,) = re.findall(r"^```json\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
(RECEIVER,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def shape(value: object) -> object:
    """Return the keys of a JSON value, without its texts."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items() if key not in {"links", "reasons"}}
    return [shape(inner) for inner in value[:1]] if isinstance(value, list) else type(value).__name__


def test_the_example_has_the_shape_of_a_message():
    sent = payload(content_of(published("A Cache"), "https://digest.example.org"))

    assert shape(json.loads(EXAMPLE)) == shape(sent)


@pytest.mark.parametrize(("secret", "accepted"), [(SECRET, True), (OTHER_SECRET, False)])
def test_the_receiver_of_the_page_accepts_what_is_signed_with_its_secret_and_nothing_else(secret, accepted, capsys):
    program, end, _ = RECEIVER.replace("whsec_...", SECRET).partition("\n\nHTTPServer(")
    assert end
    names: dict[str, Any] = {}
    exec(program, names)  # noqa: S102 - the page's own program
    names["Receiver"].log_message = lambda *_: None
    with HTTPServer(("127.0.0.1", 0), names["Receiver"]) as server, at_time(THURSDAY):
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            url = f"http://127.0.0.1:{server.server_port}/"
            hook = Webhook(http_settings(), url=url, secrets=(secret,), timeout=5.0, base_url=None)
            for _ in range(2):
                if accepted:
                    assert hook.send(message("A Cache")) == "204"
                else:
                    with pytest.raises(OutputError, match="401"):
                        hook.send(message("A Cache"))
        finally:
            server.shutdown()
            thread.join()
    assert capsys.readouterr().out == ("Trending papers\n" if accepted else "")
