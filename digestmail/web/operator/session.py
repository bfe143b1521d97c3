"""Signing in to the operator's pages: the admin token once, then a signed cookie for a day.

The cookie contains nothing but a signed time. It is bound to the admin token, so changing the token ends all sessions.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from digestmail.errors import TokenError
from digestmail.mail.link_tokens import FORM_WITHIN
from digestmail.text.credentials import matches
from digestmail.web import subscriber_pages
from digestmail.web.forms import Form, SubmittedForm, check_form
from digestmail.web.pages import page, pages_of, url

router = APIRouter(include_in_schema=False)
HOME: Final = "/operator"
_COOKIE: Final = "digestmail_operator"


class SignInNeededError(Exception):
    """No one is signed in; the page to sign in is shown instead."""


def signed_in(request: Request) -> str:
    """Return the session of a request. Raises HTTPException 404 without an admin token, or SignInNeededError."""
    purpose = _purpose(request)
    session = request.cookies.get(_COOKIE, "")
    state = subscriber_pages.web_state(request)
    try:
        state.signer().check_form(purpose, session, state.app.wall_clock.now())
    except TokenError as error:
        raise SignInNeededError from error
    return session


Session = Annotated[str, Depends(signed_in)]


def checked_form(request: Request, session: Session, form: SubmittedForm) -> Form:
    """Return a form that a page of this session sent. Raises HTTPException 403 for any other."""
    try:
        check_form(request, form, subscriber_pages.purpose(session))
    except TokenError as error:
        raise HTTPException(403, "this form is too old or from another session; reload the page") from error
    return form


CheckedForm = Annotated[Form, Depends(checked_form)]


def operator_page(request: Request, session: str, template: str, /, **context: Any) -> HTMLResponse:
    """Render a page with forms that belong to this session."""
    token = subscriber_pages.form_token(request, session)
    return page(request, f"operator/{template}", form_token=token, done=request.query_params.get("done", ""), **context)


def sign_in_page(request: Request, *, status: int = 200, problem: str = "") -> HTMLResponse:
    """Return the page to sign in."""
    token = subscriber_pages.form_token(request, HOME)
    return page(request, "operator/sign-in.html", status=status, form_token=token, problem=problem)


@router.post(f"{HOME}/sign-in")
def sign_in(request: Request, form: SubmittedForm) -> Response:
    """Sign in with the admin token."""
    purpose, state = _purpose(request), subscriber_pages.web_state(request)
    client, at = subscriber_pages.client_of(request), state.app.wall_clock.monotonic()
    if wait := state.rate_limiter.sign_in(client=client, at=at):
        refused = sign_in_page(request, status=429, problem="Too many attempts. Try again later.")
        refused.headers["Retry-After"] = str(int(wait) + 1)
        return refused
    try:
        check_form(request, form, subscriber_pages.purpose(HOME))
    except TokenError:
        return sign_in_page(request, status=403, problem="This page was too old. Try again.")
    if not matches(form.get("admin_token"), _admin_token(request)):
        return sign_in_page(request, status=403, problem="This is not the admin token.")
    response = RedirectResponse(url(request, HOME), status_code=303, headers={"Cache-Control": "no-store"})
    response.set_cookie(
        _COOKIE,
        state.signer().form(purpose, state.app.wall_clock.now()),
        max_age=int(FORM_WITHIN.total_seconds()),
        path=url(request, HOME),
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return response


@router.post(f"{HOME}/sign-out")
def sign_out(request: Request, _form: CheckedForm) -> Response:
    """Forget the session in this browser."""
    response = RedirectResponse(url(request, HOME), status_code=303, headers={"Cache-Control": "no-store"})
    response.delete_cookie(_COOKIE, path=url(request, HOME))
    return response


def _admin_token(request: Request) -> str:
    """Return the admin token. Raises HTTPException 404 if none is configured."""
    token = pages_of(request).app.config.web.admin_token
    if token is None or not token.get_secret_value():
        raise HTTPException(404, "there is no such page")
    return token.get_secret_value()


def _purpose(request: Request) -> str:
    return f"operator {hashlib.sha256(_admin_token(request).encode()).hexdigest()}"
