"""The admin API: subscribers, suppressions and statistics. It requires the admin token."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from itertools import islice
from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, Depends, Header, HTTPException, Path, Query, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel

from digestmail.editions import archive
from digestmail.errors import SubscriptionError
from digestmail.mail.placeholders import single_line
from digestmail.model.reports import Statistics
from digestmail.model.subscribers import SubscriberState, Suppression
from digestmail.subscribers import admin
from digestmail.subscribers.idempotency import Transaction, once
from digestmail.text.credentials import matches
from digestmail.web.admin_schemas import (
    NewSubscription,
    NewSuppression,
    SubscriberOut,
    Subscribers,
    SuppressionOut,
    Suppressions,
)
from digestmail.web.api import INVALID, MISSING, Limit, Offset, as_json, next_page
from digestmail.web.query_params import app_of
from digestmail.web.schemas import Problem

_bearer = HTTPBearer(auto_error=False, scheme_name="admin token", description="`[web] admin_token` of the server.")
_REFUSED: Final[dict[int | str, dict[str, Any]]] = {
    401: {"model": Problem, "description": "The admin token is missing or wrong."}
}
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=8,
        max_length=200,
        description="A unique key for this request. A repeated request with the same key gets the first response.",
    ),
]


def check_token(
    request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)] = None
) -> None:
    """Check the admin token. Raises HTTPException 401."""
    token = app_of(request).config.web.admin_token
    if not matches(given.credentials if given else None, token.get_secret_value() if token else None):
        raise HTTPException(401, "the admin token is missing or wrong", headers={"WWW-Authenticate": "Bearer"})


def _no_store(response: Response) -> None:
    response.headers["Cache-Control"] = "no-store"


router = APIRouter(
    prefix="/api/v1",
    tags=["admin"],
    dependencies=[Depends(check_token), Depends(_no_store)],
    responses=INVALID | _REFUSED,
)


@router.get("/statistics")
def get_statistics(request: Request) -> Statistics:
    """Return the number of subscribers, editions, papers and so on."""
    return archive.count_everything(app_of(request).database)


@router.get("/subscribers")
def list_subscribers(
    request: Request,
    digest: Annotated[str | None, Query(max_length=40)] = None,
    state: SubscriberState | None = None,
    limit: Limit = 50,
    offset: Offset = 0,
) -> Subscribers:
    """List subscribers, oldest first."""
    found = admin.page(app_of(request).database, digest=digest, state=state, limit=limit + 1, offset=offset)
    more = len(found) > limit
    return Subscribers(
        items=[SubscriberOut.of(one) for one in found[:limit]],
        next=next_page(request, offset=offset + limit) if more else None,
    )


@router.post("/subscribers", response_model=SubscriberOut)
def add_subscriber(request: Request, wanted: Annotated[NewSubscription, Body()], key: Key = None) -> Response:
    """Subscribe an address without confirmation. If it is already subscribed, its topics are changed."""
    app = app_of(request)

    return _once(
        request,
        key,
        wanted,
        lambda transaction: SubscriberOut.of(
            admin.add_within(transaction, app.digests, wanted.address, wanted.digest, wanted.topics, app.clock.now())
        ),
    )


@router.delete("/subscribers/{address}", status_code=204, responses=MISSING)
def remove_subscriber(request: Request, address: Annotated[str, Path(max_length=254)]) -> None:
    """Unsubscribe an address from all digests and cancel its queued emails."""
    app = app_of(request)
    try:
        admin.remove(app.database, address, app.clock.now())
    except SubscriptionError as error:
        raise HTTPException(404, "that address is not a subscriber") from error


@router.get("/suppressions")
def list_suppressions(request: Request, limit: Limit = 50, offset: Offset = 0) -> Suppressions:
    """List suppressed addresses, newest first."""
    found = list(islice(admin.suppressed(app_of(request).database), offset, offset + limit + 1))
    more = len(found) > limit
    return Suppressions(
        items=[_suppression(one) for one in found[:limit]],
        next=next_page(request, offset=offset + limit) if more else None,
    )


@router.post("/suppressions", response_model=SuppressionOut)
def add_suppression(request: Request, wanted: Annotated[NewSuppression, Body()], key: Key = None) -> Response:
    """Suppress an address and cancel its queued emails."""
    detail, now = single_line(wanted.detail), app_of(request).clock.now()
    return _once(
        request,
        key,
        wanted,
        lambda transaction: _suppression(admin.suppress_within(transaction, wanted.address, detail, now)),
    )


def _suppression(one: Suppression) -> SuppressionOut:
    return SuppressionOut(key=one.key, reason=one.reason, detail=one.detail, created_at=one.created_at)


@router.delete("/suppressions/{key}", status_code=204, responses=MISSING)
def remove_suppression(request: Request, key: Annotated[str, Path(max_length=300)]) -> None:
    """Lift a suppression, so that the person can subscribe again."""
    app = app_of(request)
    if not admin.lift_key(app.database, key, app.clock.now()):
        raise HTTPException(404, "that address is not suppressed")


def _once(request: Request, key: str | None, wanted: BaseModel, write: Callable[[Transaction], BaseModel]) -> Response:
    """Return the response of `write`, or the stored response if `key` was used before."""
    app = app_of(request)
    fingerprint = hashlib.sha256(
        f"{request.url.path}\n{wanted.model_dump_json()}".encode("utf-8", "replace")
    ).hexdigest()
    try:
        result = once(app.database, key, fingerprint, app.clock.now(), lambda transaction: as_json(write(transaction)))
    except SubscriptionError as error:
        raise HTTPException(422, str(error)) from error
    replayed = {"Idempotency-Replayed": "true"} if result.replayed else {}
    return Response(result.response, 200, _HEADERS | replayed)


_HEADERS: Final = {"Content-Type": "application/json", "Cache-Control": "no-store"}
