"""Finds out whom a report is about, and which of its failures counts. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from digestmail.bounces.parsing.report import BounceClass, FailedRecipient, InboundReport, RecipientProof
from digestmail.errors import TokenError
from digestmail.mail.tokens import Tokens, digest_number
from digestmail.text.addresses import is_same_address


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An unsubscribe email with a valid token."""

    subscriber_id: int
    digest: str | None
    """The digest; None means all of them."""
    report: str
    """Identifies the email, so that reading it twice has no second effect."""


def request_of(report: InboundReport, tokens: Tokens, digests: Sequence[str]) -> Request | None:
    """Return the unsubscribe request in an email, from its recipient address or its subject, or None. Pure.

    `digests` are the names that a token can refer to.
    """
    for token in report.proof.addressed:
        try:
            subscriber_id, number = tokens.read_mailto_token(token)
        except TokenError:
            continue
        for name in ("", *digests):
            if digest_number(name) == number:
                return Request(subscriber_id=subscriber_id, digest=name or None, report=report.identity)
    for token in report.proof.subjects:
        try:
            subscriber_id, name = tokens.read_unsubscribe(token)
        except TokenError:
            continue
        return Request(subscriber_id=subscriber_id, digest=name or None, report=report.identity)
    return None


def identify(proof: RecipientProof, tokens: Tokens) -> tuple[int, int | None] | None:
    """Return (subscriber id, edition id if known) from the first valid token, or None. Pure."""
    for token in proof.return_paths:
        try:
            edition_id, subscriber_id = tokens.read_verp(token)
        except TokenError:
            continue
        return subscriber_id, edition_id or None
    for token, read_token in (
        *((found, tokens.read_message_id) for found in proof.message_ids),
        *((found, lambda token: tokens.read_unsubscribe(token)[0]) for found in proof.unsubscribes),
    ):
        try:
            return read_token(token), None
        except TokenError:
            continue
    return None


def failure_for(failures: Sequence[FailedRecipient], address: str) -> FailedRecipient | None:
    """Return the failure that counts against `address`, or None. Pure.

    A message has one recipient, but a mailing list at that address may report several. Then the failure that names the
    address counts, or else the mildest one, because the other members of the list still get the message.
    """
    named = [failure for failure in failures if is_same_address(failure.recipient, address)]
    order = (BounceClass.SENDER_FAULT, BounceClass.SOFT, BounceClass.HARD)
    return min(named or failures, key=lambda failure: order.index(failure.verdict), default=None)
