"""The page on which readers say what interests them, for the section "For you": a profile and reading lists."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from digestmail.errors import SubscriptionError, TokenError
from digestmail.model.personal import Profile, ReadingListKind
from digestmail.model.subscribers import Subscriber, SubscriberState
from digestmail.subscribers import interests
from digestmail.web import subscriber_pages
from digestmail.web.forms import Form, SubmittedForm, SubmittedUpload, check_form
from digestmail.web.pages import error_sentence, page, pages_of, translate

router = APIRouter(include_in_schema=False)
_LIST_KINDS: Final = tuple(kind for kind in ReadingListKind if kind is not ReadingListKind.FILE)
_NUMBER: Final = re.compile("[0-9]{1,15}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What the page says about a form that was sent: a message, or a problem beside the form `part`."""

    message: str = ""
    problem: str = ""
    part: str = ""
    form: Form = field(default_factory=lambda: Form({}))
    """The fields of a form with a problem, which stay filled in."""
    status: int = 200


@router.get("/preferences/{token}/interests")
def show(request: Request, token: str) -> HTMLResponse:
    """Show the profile and the reading lists."""
    try:
        person, _ = subscriber_pages.subscriber_from_token(request, token)
        return _page(request, token, person, _Answer())
    except (TokenError, SubscriptionError) as error:
        return subscriber_pages.invalid_link(request, error)


@router.post("/preferences/{token}/interests")
def save(request: Request, token: str, form: SubmittedForm) -> HTMLResponse:
    """Save the profile."""
    app = pages_of(request).app

    def store(person: Subscriber) -> str:
        profile = interests.checked(
            form.get("interests"),
            form.get("authors").splitlines(),
            form.get("blocked_words").splitlines(),
            {str(share): share for share in interests.EXPLORATIONS}.get(form.get("exploration"), -1.0),
        )
        interests.save(app.database, person.id, profile, app.wall_clock.now())
        return translate(request, "Your interests were saved. They take effect with the next email.")

    return _submit(request, token, form, "profile", store)


@router.post("/preferences/{token}/interests/file")
def add_file(request: Request, token: str, upload: SubmittedUpload) -> HTMLResponse:
    """Store the papers of a BibTeX or RIS file, or of pasted text."""
    app = pages_of(request).app

    def store(person: Subscriber) -> str:
        pasted = upload.form.get("text")
        if not upload.content and not pasted:
            raise SubscriptionError("choose a file, or paste its content")
        at = app.wall_clock.monotonic()
        if not subscriber_pages.web_state(request).rate_limiter.upload(person.id, at):
            raise SubscriptionError("there were too many files; please try again in an hour")
        name = upload.file_name if upload.content else translate(request, "Pasted entries")
        content = upload.content or pasted.encode("utf-8", "replace")
        stored = interests.add_file(app.database, person.id, name, content, app.wall_clock.now())
        return translate(
            request,
            "Your file was read. Papers: %(papers)s. Entries that could not be read: %(broken)s. Entries over the "
            "limit: %(over)s.",
            papers=stored.papers,
            broken=stored.broken,
            over=stored.over,
        )

    if upload.too_large:
        return _too_large(request, token)
    return _submit(request, token, upload.form, "file", store)


@router.post("/preferences/{token}/interests/list")
def add_list(request: Request, token: str, form: SubmittedForm) -> HTMLResponse:
    """Add a reading list that is fetched: arXiv IDs, an arXiv author, an ORCID iD or a Zotero library."""
    app = pages_of(request).app

    def store(person: Subscriber) -> str:
        kind = next((kind for kind in _LIST_KINDS if kind == form.get("kind")), None)
        if kind is None:
            raise SubscriptionError("choose one of the answers")
        interests.add_list(app.database, person.id, kind, form.get("reference"), app.wall_clock.now())
        return translate(request, "The reading list was added.")

    return _submit(request, token, form, "list", store)


@router.post("/preferences/{token}/interests/remove")
def remove(request: Request, token: str, form: SubmittedForm) -> HTMLResponse:
    """Remove a reading list. Repeating it has no further effect."""
    database = pages_of(request).app.database

    def store(person: Subscriber) -> str:
        if _NUMBER.fullmatch(form.get("list")):
            interests.remove_list(database, person.id, int(form.get("list")))
        return translate(request, "The reading list was removed.")

    return _submit(request, token, form, "lists", store)


@router.post("/preferences/{token}/interests/clear")
def clear(request: Request, token: str, form: SubmittedForm) -> HTMLResponse:
    """Remove the profile and all reading lists."""
    database = pages_of(request).app.database

    def store(person: Subscriber) -> str:
        interests.remove_all(database, person.id)
        return translate(request, "Your interests and reading lists were removed.")

    return _submit(request, token, form, "clear", store)


def _submit(request: Request, token: str, form: Form, part: str, store: Callable[[Subscriber], str]) -> HTMLResponse:
    """Check the token of a form, do what it asks for, and show the page with the result."""
    try:
        person, _ = subscriber_pages.subscriber_from_token(request, token)
        check_form(request, form, subscriber_pages.purpose(token))
    except (TokenError, SubscriptionError) as error:
        return subscriber_pages.invalid_link(request, error)
    try:
        answer = _Answer(message=store(person))
    except SubscriptionError as error:
        answer = _Answer(problem=error_sentence(request, error), part=part, form=form, status=422)
    try:
        return _page(request, token, person, answer)
    except SubscriptionError as error:
        return subscriber_pages.invalid_link(request, error)


def _too_large(request: Request, token: str) -> HTMLResponse:
    """Return the page for a file that was not kept. Nothing is stored, so the token of the form does not matter."""
    error = SubscriptionError("this file is too large; export a part of your library, at most 1 MB")
    try:
        person, _ = subscriber_pages.subscriber_from_token(request, token)
        return _page(request, token, person, _Answer(problem=error_sentence(request, error), part="file", status=413))
    except (TokenError, SubscriptionError) as invalid:
        return subscriber_pages.invalid_link(request, invalid)


def _page(request: Request, token: str, person: Subscriber, answer: _Answer) -> HTMLResponse:
    found = interests.find(pages_of(request).app.database, person.id)
    said, form = found.profile, answer.form
    profile_form = answer.part == "profile"
    return page(
        request,
        "interests.html",
        status=answer.status,
        token=token,
        own_token=subscriber_pages.form_token(request, token),
        person=person,
        subscribed=person.state is SubscriberState.ACTIVE,
        message=answer.message,
        problem=answer.problem,
        part=answer.part,
        written={
            "interests": form.get("interests") if profile_form else said.interests,
            "authors": form.get("authors") if profile_form else "\n".join(said.authors),
            "blocked_words": form.get("blocked_words") if profile_form else "\n".join(said.blocked_words),
            "exploration": form.get("exploration") if profile_form else str(_nearest(said.exploration)),
            "text": form.get("text"),
            "kind": form.get("kind"),
            "reference": form.get("reference"),
        },
        explorations=[str(share) for share in interests.EXPLORATIONS],
        kinds=[str(kind) for kind in _LIST_KINDS],
        reading_lists=found.reading_lists,
        has_profile=bool(found.reading_lists) or said != Profile(),
    )


def _nearest(exploration: float) -> float:
    return min(interests.EXPLORATIONS, key=lambda share: abs(share - exploration))
