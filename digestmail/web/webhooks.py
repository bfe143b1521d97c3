"""What mail providers tell by webhook: bounces and complaints, from whoever knows the webhook secret."""

from __future__ import annotations

import logging
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBasic, HTTPBasicCredentials, HTTPBearer

from digestmail.bounces.webhooks import mailgun
from digestmail.bounces.webhooks.payload import Provider, read
from digestmail.errors import EventsError
from digestmail.text.credentials import matches, present
from digestmail.web.admin_schemas import EventsAccepted
from digestmail.web.api import INVALID
from digestmail.web.forms import read_body
from digestmail.web.query_params import app_of
from digestmail.web.schemas import Problem

log = logging.getLogger("digestmail.web")

_LARGEST: Final = 1_000_000
"""SendGrid sends at most 768 KB at once, the others less."""
_REALM: Final = "digestmail"
_basic = HTTPBasic(
    auto_error=False, scheme_name="webhook password", realm=_REALM, description="`[web] webhook_secret`; any user name."
)
_bearer = HTTPBearer(auto_error=False, scheme_name="webhook secret", description="`[web] webhook_secret`.")
_REFUSED: Final[dict[int | str, dict[str, Any]]] = {
    401: {"model": Problem, "description": "The webhook secret is missing or wrong, or the signature is."},
    413: {"model": Problem, "description": "More than 1 MB."},
    503: {"model": Problem, "description": "The database does not answer: send it again."},
}
_BODY: Final = {
    "requestBody": {
        "required": True,
        "description": "What the provider sends; for `generic`, a list of events in our own form.",
        "content": {"application/json": {"schema": {}}},
    }
}

router = APIRouter(prefix="/api/v1", tags=["providers"], responses=INVALID | _REFUSED)


async def proven_body(
    request: Request,
    provider: Provider,
    basic: Annotated[HTTPBasicCredentials | None, Depends(_basic)] = None,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)] = None,
) -> bytes:
    """Return the body of a request that proves itself by the secret, before anything of it is read.

    Mailgun's proof is in the body. Raises HTTPException 401 or 413.
    """
    given = basic.password if basic else bearer.credentials if bearer else None
    secret = _secret(request)
    if provider is not Provider.MAILGUN and not matches(given, secret):
        raise _refusal()
    return await read_body(request, _LARGEST)


@router.post("/events/{provider}", openapi_extra=_BODY)
def ingest_events(
    request: Request, response: Response, provider: Provider, body: Annotated[bytes, Depends(proven_body)]
) -> EventsAccepted:
    """Take the bounces and complaints a mail provider tells; the same event counts once."""
    app = app_of(request)
    if provider is Provider.MAILGUN and not mailgun.is_signed(body, _secret(request), app.wall_clock.now()):
        raise _refusal()
    try:
        told = read(provider, body)
    except EventsError as error:
        raise HTTPException(422, str(error)) from error
    if told.confirm:
        log.warning("provider=%s wants its subscription confirmed by hand; open %s", provider, told.confirm)
    if told.unreadable:
        log.warning("provider=%s unreadable=%d", provider, told.unreadable)
    report = app.ingest_events(told.events)
    response.headers["Cache-Control"] = "no-store"
    return EventsAccepted.of(report, told.unreadable)


def _secret(request: Request) -> str:
    """Return the webhook secret. Raises HTTPException 401 where none is configured."""
    configured = app_of(request).config.web.webhook_secret
    secret = present(configured.get_secret_value() if configured else None)
    if secret is None:
        raise _refusal()
    return secret


def _refusal() -> HTTPException:
    # SNS sends the password of the endpoint's address only to who asks for it.
    return HTTPException(
        401, "the webhook secret is missing or wrong", headers={"WWW-Authenticate": f'Basic realm="{_REALM}"'}
    )
