"""Webhooks of email providers: bounces and complaints, authenticated by the webhook secret."""

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
from digestmail.web.body_limit import MOST_BYTES
from digestmail.web.forms import read_body
from digestmail.web.query_params import app_of
from digestmail.web.schemas import Problem

log = logging.getLogger("digestmail.web")

_REALM: Final = "digestmail"
_basic = HTTPBasic(
    auto_error=False, scheme_name="webhook password", realm=_REALM, description="`[web] webhook_secret`; any user name."
)
_bearer = HTTPBearer(auto_error=False, scheme_name="webhook secret", description="`[web] webhook_secret`.")
_REFUSED: Final[dict[int | str, dict[str, Any]]] = {
    401: {"model": Problem, "description": "The webhook secret or the signature is missing or wrong."},
    413: {"model": Problem, "description": "More than 1 MB."},
    503: {"model": Problem, "description": "The database is not available. Send the request again."},
}
_BODY: Final = {
    "requestBody": {
        "required": True,
        "description": "The provider's own format; for `generic`, a list of events as documented.",
        "content": {"application/json": {"schema": {}}},
    }
}

router = APIRouter(prefix="/api/v1", tags=["providers"], responses=INVALID | _REFUSED)


async def authenticated_body(
    request: Request,
    provider: Provider,
    basic: Annotated[HTTPBasicCredentials | None, Depends(_basic)] = None,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)] = None,
) -> bytes:
    """Check the secret of a request, then read and return its body.

    Mailgun's signature is in the body. Raises HTTPException 401 or 413.
    """
    given = basic.password if basic else bearer.credentials if bearer else None
    secret = _secret(request)
    if provider is not Provider.MAILGUN and not matches(given, secret):
        raise _refusal()
    return await read_body(request, MOST_BYTES)


@router.post("/events/{provider}", openapi_extra=_BODY)
def ingest_events(
    request: Request, response: Response, provider: Provider, body: Annotated[bytes, Depends(authenticated_body)]
) -> EventsAccepted:
    """Process bounces and complaints of an email provider. An event that is sent twice counts once."""
    app = app_of(request)
    if provider is Provider.MAILGUN and not mailgun.is_signed(body, _secret(request), app.wall_clock.now()):
        raise _refusal()
    try:
        batch = read(provider, body)
    except EventsError as error:
        raise HTTPException(422, str(error)) from error
    if batch.confirm:
        log.warning("provider=%s asks you to confirm the subscription; open %s", provider, batch.confirm)
    if batch.unreadable:
        log.warning("provider=%s unreadable=%d", provider, batch.unreadable)
    report = app.ingest_events(batch.events)
    response.headers["Cache-Control"] = "no-store"
    return EventsAccepted.of(report, batch.unreadable)


def _secret(request: Request) -> str:
    """Return the webhook secret. Raises HTTPException 401 if none is configured."""
    configured = app_of(request).config.web.webhook_secret
    secret = present(configured.get_secret_value() if configured else None)
    if secret is None:
        raise _refusal()
    return secret


def _refusal() -> HTTPException:
    # SNS sends the password in the endpoint's URL only after this header.
    return HTTPException(
        401, "the webhook secret is missing or wrong", headers={"WWW-Authenticate": f'Basic realm="{_REALM}"'}
    )
