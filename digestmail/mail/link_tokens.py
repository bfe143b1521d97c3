"""Tokens of temporary links and of forms. Pure.

The permanent link of a subscriber (unsubscribe, preferences) uses `tokens.Tokens.unsubscribe`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from itsdangerous import BadData, URLSafeSerializer

from digestmail.errors import TokenError

CONFIRM_WITHIN = timedelta(days=3)
UNDO_WITHIN = timedelta(days=30)
FORM_WITHIN = timedelta(hours=24)


class LinkTokens:
    """Creates and verifies tokens. The newest secret signs, all secrets verify, and each purpose has its own salt."""

    def __init__(self, secrets: Sequence[str]) -> None:
        """Use `secrets`, newest first. Raises ValueError if there are none or if one is empty."""
        if not secrets or not all(secrets):
            raise ValueError("a signing secret is empty")
        ring = [*reversed(secrets)]
        self._confirm = URLSafeSerializer(ring, salt="digestmail.confirm")
        self._address = URLSafeSerializer(ring, salt="digestmail.address")
        self._erase = URLSafeSerializer(ring, salt="digestmail.erase")
        self._undo = URLSafeSerializer(ring, salt="digestmail.undo")
        self._form = URLSafeSerializer(ring, salt="digestmail.form")

    def confirm(self, subscriber_id: int, nonce: str, now: datetime) -> str:
        """Return the token that confirms a sign-up. It is valid for `CONFIRM_WITHIN` and can be used once."""
        return str(self._confirm.dumps([subscriber_id, nonce, int(now.timestamp())]))

    def read_confirm(self, token: str, now: datetime) -> tuple[int, str]:
        """Return (subscriber id, nonce). Raises TokenError if the token is invalid or has expired."""
        return _confirmation(self._confirm, token, now)

    def address(self, subscriber_id: int, nonce: str, now: datetime) -> str:
        """Return the token that confirms a new address. It is valid for `CONFIRM_WITHIN` and can be used once."""
        return str(self._address.dumps([subscriber_id, nonce, int(now.timestamp())]))

    def read_address(self, token: str, now: datetime) -> tuple[int, str]:
        """Return (subscriber id, nonce). Raises TokenError if the token is invalid or has expired."""
        return _confirmation(self._address, token, now)

    def erase(self, subscriber_id: int, now: datetime) -> str:
        """Return the token that confirms an erasure. It is valid for `CONFIRM_WITHIN`."""
        return str(self._erase.dumps([subscriber_id, "", int(now.timestamp())]))

    def read_erase(self, token: str, now: datetime) -> int:
        """Return the subscriber id. Raises TokenError if the token is invalid or has expired."""
        return _confirmation(self._erase, token, now)[0]

    def undo(self, change_id: int, made_at: datetime) -> str:
        """Return the token that undoes a change made at `made_at`. It is valid for `UNDO_WITHIN`."""
        return str(self._undo.dumps([change_id, int(made_at.timestamp())]))

    def read_undo(self, token: str, now: datetime) -> int:
        """Return the id of the change. Raises TokenError if the token is invalid or has expired."""
        match _load(self._undo, token):
            case [int() as change_id, int() as made_at]:
                if now.timestamp() - made_at > UNDO_WITHIN.total_seconds():
                    raise TokenError("this link has expired")
                return change_id
            case _:
                raise TokenError("this link is not valid")

    def form(self, purpose: str, now: datetime) -> str:
        """Return the hidden field of a form shown at `now`. `purpose` identifies the form and its subscriber."""
        return str(self._form.dumps([purpose, int(now.timestamp() * 1000)]))

    def check_form(self, purpose: str, token: str, now: datetime, *, min_age: timedelta = timedelta(0)) -> None:
        """Raise TokenError if the form is not ours, was submitted too quickly, or is more than a day old."""
        match _load(self._form, token):
            case [str() as shown_for, int() as shown_at] if shown_for == purpose:
                age = timedelta(milliseconds=now.timestamp() * 1000 - shown_at)
            case _:
                raise TokenError("this form is not valid")
        if not min_age <= age <= FORM_WITHIN:
            raise TokenError("this form was sent too quickly or too late")


def _confirmation(serializer: URLSafeSerializer, token: str, now: datetime) -> tuple[int, str]:
    match _load(serializer, token):
        case [int() as subscriber_id, str() as nonce, int() as made_at]:
            if now.timestamp() - made_at > CONFIRM_WITHIN.total_seconds():
                raise TokenError("this confirmation link has expired")
            return subscriber_id, nonce
        case _:
            raise TokenError("this confirmation link is not valid")


def _load(serializer: URLSafeSerializer, token: str) -> object:
    try:
        return serializer.loads(token)
    except (BadData, UnicodeError, RecursionError) as error:
        raise TokenError("the link is incomplete or was changed") from error
