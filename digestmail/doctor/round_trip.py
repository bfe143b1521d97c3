"""A test email that is sent and comes back: whether it is intact, and what the receiving server says of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from email import message_from_bytes
from email.message import Message
from typing import Final

from digestmail.bounces.mailboxes.base import Mailbox
from digestmail.clock import Clock
from digestmail.doctor.findings import ProbeFinding, fail, ok, skip, warn
from digestmail.mail.dkim import Signer
from digestmail.mail.dkim_verify import verify_ours

PROBE = "round-trip"
_METHODS: Final = ("spf", "dkim", "dmarc")
_BETWEEN: Final = 3.0
"""Seconds between looks into the mailbox."""


def probe_round_trip(
    send: Callable[[], str],
    mailbox: Mailbox | None,
    message_id: str,
    signers: Sequence[Signer],
    clock: Clock,
    *,
    patience: float,
) -> Iterator[ProbeFinding]:
    """Send the test email, and yield what became of it. It is marked as read, and no other email is.

    `send` returns the reply of the server, and raises DigestmailError. `patience` is how many seconds to wait for it.
    """
    yield ok(PROBE, f"sent: {send()}")
    if mailbox is None:
        yield skip(PROBE, "look at the headers of the email that arrives: [bounces] names no mailbox to read it from")
        return
    ends = clock.monotonic() + patience
    while (raw := _take(mailbox, message_id)) is None:
        if clock.monotonic() >= ends:
            yield warn(
                PROBE,
                f"the email did not arrive in the mailbox of [bounces] within {patience:g} seconds",
                "send it to an address whose email arrives there, such as bounce_address, or look for it yourself",
            )
            return
        clock.sleep(_BETWEEN)
    yield from judge_returned(raw, signers)


def _take(mailbox: Mailbox, message_id: str) -> bytes | None:
    for received in mailbox.messages():
        head = received.raw.partition(b"\n\r\n")[0].partition(b"\n\n")[0]
        if message_id.encode() in head:
            mailbox.mark_done(received)
            return received.raw
    return None


def judge_returned(raw: bytes, signers: Sequence[Signer]) -> Iterator[ProbeFinding]:
    """Yield whether our signatures are intact, and the results of the server that received the email."""
    results = verify_ours(raw, signers)
    for result in results:
        where = f"the signature with {result.selector} of {result.domain}"
        if result.problem:
            yield fail(PROBE, f"{where} is broken: {result.problem}", "find the server that changes emails on the way")
        else:
            yield ok(PROBE, f"{where} is intact")
    if signers and not results:
        yield fail(PROBE, "our signature was removed on the way", "have your mail server pass DKIM-Signature on")
    message = message_from_bytes(raw)
    if not signers and "DKIM-Signature" not in message:
        yield fail(PROBE, "the email arrived without a DKIM signature", "set [mail.dkim]: see docs/dkim.md")
    yield _judge_authentication(message)


def _judge_authentication(message: Message) -> ProbeFinding:
    """Judge the topmost Authentication-Results: those below may be anyone's (RFC 8601 section 7.1)."""
    field = str(message.get("Authentication-Results", ""))
    found = authentication_results(field)
    if not found:
        return skip(PROBE, "the receiving server added no Authentication-Results")
    text = ", ".join(f"{method}={result}" for method, result in found.items())
    server = field.partition(";")[0].split()
    by = f" ({server[0]})" if server else ""
    bad = [method for method, result in found.items() if result not in {"pass", "none"}]
    if found.get("dmarc", "pass") != "pass" or len(bad) == len(found):
        return fail(PROBE, f"the receiving server says {text}{by}", "see the findings about spf, dkim and dmarc")
    return (warn if bad else ok)(PROBE, f"the receiving server says {text}{by}")


def authentication_results(field: str) -> dict[str, str]:
    """Return the result of each method in the value of an Authentication-Results field; the best one of several."""
    without_comments = re.sub(r"\([^()]*\)", " ", field.partition(";")[2])
    found: dict[str, str] = {}
    for method, result in re.findall(
        r"(?:^|;)\s*([a-z0-9-]+)(?:/\d+)?\s*=\s*([a-z]+)", without_comments, re.IGNORECASE
    ):
        if method.lower() in _METHODS and found.get(method.lower()) != "pass":
            found[method.lower()] = result.lower()
    return found
