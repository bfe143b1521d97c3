"""Limits the bodies of all requests, whoever reads them."""

from __future__ import annotations

from typing import Final

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES: Final = 1_000_000
"""SendGrid sends at most 768 KB per request; only files of readers may be larger."""
UPLOAD_PATH: Final = "/interests/file"
"""How the path ends to which readers send files."""
MOST_UPLOADED_BYTES: Final = 20_000_000
"""The form of a file that is too large is read to its end, but not kept, so that browsers show the answer."""


class BodyLimit:
    """ASGI middleware that ends a request whose body is too large, while it is read.

    FastAPI reads JSON bodies before it checks tokens, so without it anyone could fill the memory.
    """

    def __init__(self, app: ASGIApp, *, most_bytes: int = MOST_BYTES) -> None:
        """Wrap `app`."""
        self._app = app
        self._most_bytes = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request (ASGI 3). Reading more than is allowed raises HTTPException 413."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most_bytes = MOST_UPLOADED_BYTES if scope["path"].endswith(UPLOAD_PATH) else self._most_bytes
        received = 0

        async def limited() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > most_bytes:
                raise HTTPException(413, "the request is too large")
            return message

        await self._app(scope, limited, send)
