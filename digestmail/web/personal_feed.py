"""The editions as one reader was sent them, as a feed. Its address is secret, and only good for reading."""

from __future__ import annotations

import hashlib
from typing import Final

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

from digestmail.app import App
from digestmail.editions import entitlement
from digestmail.errors import SubscriptionError, TokenError
from digestmail.model.archive import SentEdition
from digestmail.model.subscribers import Subscriber, SubscriberState
from digestmail.subscribers import preferences
from digestmail.web.cache import Sharing, share
from digestmail.web.feeds import as_atom, as_json
from digestmail.web.pages import absolute, language_of, pages_of, translate, use_language
from digestmail.web.query_params import app_of
from digestmail.web.syndication import Item, SyndicationFeed, author_of, tag_uri

router = APIRouter(include_in_schema=False)
_EDITIONS: Final = 20
_HIDDEN: Final = {"X-Robots-Tag": "noindex"}


@router.get("/for-you/{token}/feed.atom")
def personal_atom(request: Request, token: str) -> Response:
    """Return the editions that a reader was sent as Atom."""
    return as_atom(request, _feed(request, token), _HIDDEN)


@router.get("/for-you/{token}/feed.json")
def personal_json(request: Request, token: str) -> Response:
    """Return the editions that a reader was sent as JSON Feed."""
    return as_json(request, _feed(request, token), _HIDDEN)


def feed_path(app: App, person: Subscriber) -> str:
    """Return the path of a reader's own feed, without its ending."""
    return f"/for-you/{app.tokens.feed(person.id, preferences.subscribed_since(app.database, person))}/feed"


def _reader(request: Request, token: str) -> Subscriber:
    """Return the active subscriber of a feed. Raises HTTPException 404 or 410."""
    app = app_of(request)
    try:
        subscriber_id, since = app.tokens.read_feed(token)
    except TokenError as error:
        raise HTTPException(404, "there is no such feed") from error
    try:
        person = preferences.get(app.database, subscriber_id)
    except SubscriptionError as error:
        raise HTTPException(410, "this feed has ended") from error
    now_since = preferences.subscribed_since(app.database, person)
    if person.state is not SubscriberState.ACTIVE or int(now_since.timestamp()) != since:
        raise HTTPException(410, "this feed has ended")
    use_language(request, person.language)
    return person


def _feed(request: Request, token: str) -> SyndicationFeed:
    app, person = app_of(request), _reader(request, token)
    found = entitlement.last_sent(app.database, person.id, _EDITIONS)
    share(request, Sharing.PRIVATE)
    # A feed has the same identity as long as its address is the same, and shows nothing of the secret.
    identity = "for-you", hashlib.sha256(token.encode()).hexdigest()[:16]
    title = app.digests[0].title
    return SyndicationFeed(
        id=tag_uri(absolute(request, ""), *identity),
        title=f"{title}: {translate(request, 'For you')}",
        subtitle="",
        own=absolute(request, f"/for-you/{token}/feed"),
        query="",
        home=absolute(request, "/"),
        author=author_of(app.digests[0].byline, language_of(request), title),
        updated_at=person.created_at,
        items=tuple(_item(request, one, identity) for one in found if one.sections),
    )


def _item(request: Request, sent: SentEdition, identity: tuple[str, ...]) -> Item:
    edition, language = sent.edition, language_of(request)
    day = pages_of(request).environment(language).filters["long_day"](edition.slot.day)
    plain = edition.digest == edition.base
    return Item(
        id=tag_uri(absolute(request, ""), *identity, edition.base, edition.key),
        link=absolute(request, f"/{edition.base}/{edition.slot.key}" if plain else f"/{edition.base}"),
        title=f"{edition.title}, {day}",
        html=pages_of(request).fill_in(request, "feed-edition.html", language=language, sections=sent.sections),
        authors=(author_of(edition.byline, language, edition.title),),
        published_at=sent.sent_at,
    )
