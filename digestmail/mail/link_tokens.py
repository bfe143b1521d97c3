"""Tokens of temporary links and of forms. Pure.

The permanent link of a subscriber (unsubscribe, preferences) uses `tokens.Tokens.unsubscribe`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from struct import Struct

from itsdangerous import BadData, URLSafeSerializer

from digestmail.errors import TokenError
from digestmail.mail.sealing import Sealer

CONFIRM_WITHIN = timedelta(days=3)
UNDO_WITHIN = timedelta(days=30)
FORM_WITHIN = timedelta(hours=24)
_PACKED = Struct(">Qq")
"""A number and a time, in seconds since 1970."""


class LinkTokens:
    """Creates and verifies tokens. The newest secret signs, all secrets verify, and each purpose has its own salt."""

    def __init__(self, secrets: Sequence[str]) -> None:
        """Use `secrets`, newest first. Raises ValueError if there are none or if one is empty."""
        if not secrets or not all(secrets):
            raise ValueError("a signing secret is empty")
        self._confirm = Sealer(secrets, "digestmail.confirm")
        self._address = Sealer(secrets, "digestmail.address")
        self._erase = Sealer(secrets, "digestmail.erase")
        self._undo = Sealer(secrets, "digestmail.undo")
        self._form = URLSafeSerializer([*reversed(secrets)], salt="digestmail.form")

    def confirm(self, subscriber_id: int, nonce: str, now: datetime) -> str:
        """Return the token that confirms a sign-up. It is valid for `CONFIRM_WITHIN` and can be used once."""
        return self._confirm.close(_packed(subscriber_id, now) + nonce.encode())

    def read_confirm(self, token: str, now: datetime) -> tuple[int, str]:
        """Return (subscriber id, nonce). Raises TokenError if the token is invalid or has expired."""
        return _confirmation(self._confirm, token, now)

    def address(self, subscriber_id: int, nonce: str, now: datetime) -> str:
        """Return the token that confirms a new address. It is valid for `CONFIRM_WITHIN` and can be used once."""
        return self._address.close(_packed(subscriber_id, now) + nonce.encode())

    def read_address(self, token: str, now: datetime) -> tuple[int, str]:
        """Return (subscriber id, nonce). Raises TokenError if the token is invalid or has expired."""
        return _confirmation(self._address, token, now)

    def erase(self, subscriber_id: int, now: datetime) -> str:
        """Return the token that confirms an erasure. It is valid for `CONFIRM_WITHIN`."""
        return self._erase.close(_packed(subscriber_id, now))

    def read_erase(self, token: str, now: datetime) -> int:
        """Return the subscriber id. Raises TokenError if the token is invalid or has expired."""
        return _confirmation(self._erase, token, now)[0]

    def undo(self, change_id: int, made_at: datetime) -> str:
        """Return the token that undoes a change made at `made_at`. It is valid for `UNDO_WITHIN`."""
        return self._undo.close(_packed(change_id, made_at))

    def read_undo(self, token: str, now: datetime) -> int:
        """Return the id of the change. Raises TokenError if the token is invalid or has expired."""
        change_id, made_at = _PACKED.unpack(self._undo.open(token))
        if now.timestamp() - made_at > UNDO_WITHIN.total_seconds():
            raise TokenError("this link has expired")
        return int(change_id)

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


def _packed(number: int, at: datetime) -> bytes:
    return _PACKED.pack(number, int(at.timestamp()))


def _confirmation(sealer: Sealer, token: str, now: datetime) -> tuple[int, str]:
    content = sealer.open(token)
    subscriber_id, made_at = _PACKED.unpack_from(content)
    if now.timestamp() - made_at > CONFIRM_WITHIN.total_seconds():
        raise TokenError("this confirmation link has expired")
    return subscriber_id, content[_PACKED.size :].decode()


def _load(serializer: URLSafeSerializer, token: str) -> object:
    try:
        return serializer.loads(token)
    except (BadData, UnicodeError, RecursionError) as error:
        raise TokenError("this form is not valid") from error
