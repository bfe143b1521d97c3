"""`/healthz`: the process and all its parts are alive. `/readyz`: its database is available."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse

from digestmail.app import App
from digestmail.errors import StorageError

router = APIRouter(include_in_schema=False)
_FRESH = {"Cache-Control": "no-store"}


def _always() -> bool:
    return True


@router.get("/healthz")
async def healthz(request: Request) -> PlainTextResponse:
    """Return 200, or 503 if another part of the process hangs."""
    if not getattr(request.app.state, "is_alive", _always)():
        return PlainTextResponse("a part of this process hangs; its log says which\n", status_code=503, headers=_FRESH)
    return PlainTextResponse("ok\n", headers=_FRESH)


@router.get("/readyz")
def readyz(request: Request) -> PlainTextResponse:
    """Return 200 if the database is available, else 503."""
    app: App = request.app.state.digestmail
    try:
        app.database.ping()
    except StorageError:
        return PlainTextResponse("the database is not available\n", status_code=503, headers=_FRESH)
    return PlainTextResponse("ready\n", headers=_FRESH)
