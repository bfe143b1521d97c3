"""What a DKIM signature costs a message of 20 and 60 KB: ours, the bare primitive, dkimpy; and what threads give."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial

import dkim as dkimpy

from benchmarks.figures import Figure, figure, tell
from digestmail.mail.dkim import Algorithm, Signer, generate
from digestmail.mail.message import MessageTemplate
from digestmail.mail.message_headers import Sender
from digestmail.mail.placeholders import unsubscribe_placeholder
from digestmail.model.deliveries import Rendered

SENDER = Sender(mailbox="Papers <digest@example.org>", domain="example.org", base_url="https://digest.example.org")
AT = datetime(2026, 4, 2, 6, 0, tzinfo=UTC)
WORDS = "We look at how a model of modest size decides which of its layers a question needs.\n"
NONCE = "benchmark"
TOKEN = "WzEyMywiZGFpbHkiXQ.kZt0VJ3sm0kq8VQd3r5p0lqkN2E"  # noqa: S105 - of no instance
HEADERS = b"from to subject date message-id list-id list-unsubscribe list-unsubscribe-post".split()
ROUNDS = 5


def message_template(size: int, *signers: Signer) -> MessageTemplate:
    """Return a message template whose messages are about `size` octets, a fifth of them plain text."""
    text = WORDS * (size // 5 // len(WORDS)) + unsubscribe_placeholder(NONCE)
    html = f"<p>{WORDS}</p>" * (size * 4 // 5 // (len(WORDS) + 7)) + unsubscribe_placeholder(NONCE)
    rendered = Rendered(subject="Trending papers", html=html, text=text, nonce=NONCE)
    return MessageTemplate(rendered, SENDER, digest="daily", title="Trending papers", signers=signers)


def cast(made: MessageTemplate, number: int = 0) -> bytes:
    return made.personalize(
        recipient=f"r{number}@example.net", message_id=f"<{number}@example.org>", date=AT, unsubscribe_token=TOKEN
    )


def milliseconds(work: Callable[[], object], times: int) -> float:
    """Return how long `work` takes: the fastest of some rounds."""
    fastest = float("inf")
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for _ in range(times):
            work()
        fastest = min(fastest, (time.perf_counter() - began) / times)
    return fastest * 1000


def threads_help(made: MessageTemplate, threads: int, times: int) -> float:
    """Return how many times more messages `threads` threads personalize in the same time."""
    one = milliseconds(lambda: cast(made), times)
    with ThreadPoolExecutor(threads) as pool:
        began = time.perf_counter()
        list(pool.map(lambda _: [cast(made) for _ in range(times)], range(threads)))
        together = (time.perf_counter() - began) / times / threads * 1000
    return one / together


def main() -> None:
    """Measure."""
    figures: list[Figure] = []
    digest = hashlib.sha256(b"headers").digest()
    for algorithm in Algorithm:
        pem = generate(algorithm)
        signer = Signer(domain="example.org", selector="one", pem=pem)
        bare = milliseconds(partial(signer.sign, digest), 300)
        figures.append(Figure(f"{algorithm}: the bare primitive", round(bare, 3), "ms", "-", holds=True))
        for size in (20_000, 60_000):
            plain = milliseconds(partial(cast, message_template(size)), 300)
            signed = milliseconds(partial(cast, message_template(size, signer)), 300)
            name = f"{algorithm}: {size // 1000} KB"
            figures.append(figure(f"{name}, a signature", signed - plain, "ms", "<=", bare + 0.1))
            if algorithm is Algorithm.RSA:
                theirs = milliseconds(partial(dkimpy_sign, cast(message_template(size)), pem), 10)
                figures.append(figure(f"{name}, dkimpy", theirs / (signed - plain), "times ours", ">=", 10))
        helped = threads_help(message_template(60_000, signer), 2, 300)
        figures.append(Figure(f"{algorithm}: two threads give", round(helped, 2), "times", "-", holds=True))
    tell(figures)


def dkimpy_sign(message: bytes, pem: bytes) -> bytes:
    signature: bytes = dkimpy.sign(
        message, b"one", b"example.org", pem, canonicalize=(b"relaxed", b"simple"), include_headers=HEADERS
    )
    return signature


if __name__ == "__main__":
    main()
