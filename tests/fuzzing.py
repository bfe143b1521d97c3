"""Fuzzing: checks what targets promise for damaged inputs, and keeps the inputs that reach code for the first time.

`attack` has two modes. Without `FUZZ_SECONDS` it checks the corpus and a few inputs, always the same ones. With
`FUZZ_SECONDS` (`make fuzz`) it checks new inputs for that many seconds. An input that reaches a line of digestmail that
no other input reached is shortened, stored in `tests/fuzz/corpus/`, and damaged further.
"""

from __future__ import annotations

import hashlib
import os
import random
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

import digestmail

CORPUS = Path(__file__).parent / "fuzz" / "corpus"
PACKAGE = str(Path(digestmail.__file__).parent)
FEW, ROUND = 12, 100
"""Inputs that `make test` checks for each target, and that one round of `make fuzz` checks."""
LONGEST_KEPT = 3_000
"""Octets of an input in the corpus."""
LONGEST_RUN = 10_000
"""Octets of a token that is repeated: enough to nest too deeply for any recursive parser."""
LONGEST_CPU = 20.0
"""CPU seconds after which `make fuzz` says that an input hangs."""

_TOKEN = re.compile(rb"<[^<>]{0,200}>|[A-Za-z0-9_.+-]+|\s+|[^A-Za-z0-9_\s]", re.DOTALL)
_ODD = (
    b"", b"\0", b"\r", b"\n", b"\r\n", b"\t", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xff\xfe", b"\x1b",
    b"\x85", "\u202e\u2028".encode(), "\U0001f9ea".encode(), b"<", b">", b"&", b"]]>", b"<!--", b"-->", b"<![CDATA[",
    b"&amp;lt;", b"&#0;", b"&#xD800;", b'"', b"'", b"\\", b"\\ud800", b"\\u0000", b"{", b"}", b"[", b"]", b"$", b"%00",
    b"%ff", b"%", b"0", b"-1", b"1e400", b"9" * 30, b"NaN", b"null", b"true", b"a" * 300, b" " * 300, b"0001-01-01",
    b"9999-12-31T23:59:59Z", b"//", b"http://[", b"://", b"@", b"=?utf-8?q?=00?=", b"=?x?b?!?=", b"..", b":", b";",
    b",", b"=",
)  # fmt: skip


class HangError(BaseException):
    """A target took too long. Not an Exception, because the code under test may handle those."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """Code that reads untrusted octets."""

    name: str
    check: Callable[[bytes], object]
    """Call the code and check what it promises for any input. Raises AssertionError or the unexpected error."""
    seeds: Sequence[bytes]
    """Valid inputs that use as much of the format as possible."""
    documents: st.SearchStrategy[bytes] = st.nothing()
    """Inputs made according to a grammar, if the format has one that matters."""

    def corpus(self) -> list[Path]:
        """Return the stored inputs."""
        return sorted((CORPUS / self.name).glob("*"))


def attack(target: Target) -> None:
    """Check the seeds, the corpus and damaged inputs."""
    known = [*target.seeds, *(path.read_bytes() for path in target.corpus())]
    seconds = float(os.environ.get("FUZZ_SECONDS") or 0)
    if seconds:
        _hunt(target, known, seconds)
        return
    for one in known:
        target.check(one)

    @settings(_quiet(FEW), derandomize=True)
    @given(inputs(target, known))
    def check(data: bytes) -> None:
        target.check(data)

    check()


def inputs(target: Target, known: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Return a strategy for damaged inputs: edits of a known one, its tokens in any order, any octets, documents."""
    divided = [_TOKEN.findall(one) for one in known]
    pool = st.sampled_from(sorted({token for tokens in divided for token in tokens} | set(_ODD)))
    some = st.lists(pool, max_size=3)
    many = st.builds(_repeated, pool, st.one_of(st.integers(2, 100), st.just(LONGEST_RUN)))
    any_octets = st.binary(max_size=8).map(lambda octets: [octets])

    @st.composite
    def edited(draw: st.DrawFn) -> bytes:
        parts = list(draw(st.sampled_from(divided)))
        for _ in range(draw(st.integers(1, 6))):
            at, length = draw(st.integers(0, len(parts))), draw(st.integers(0, 4))
            again = parts[(other := draw(st.integers(0, len(parts)))) : other + 20]
            parts[at : at + length] = draw(st.one_of(some, some, st.just(again), any_octets, many))
        return b"".join(parts)

    shuffled = st.lists(pool, max_size=60).map(b"".join)
    return st.one_of(edited(), edited(), edited(), shuffled, st.binary(max_size=200), target.documents)


def _repeated(token: bytes, count: int) -> list[bytes]:
    return [token] * min(count, LONGEST_RUN // max(len(token), 1))


def _quiet(examples: int) -> settings:
    return settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )


def _hunt(target: Target, known: list[bytes], seconds: float) -> None:
    """Check new inputs for `seconds`, and store those that reach new lines."""
    reached = set().union(*(lines(target.check, one) for one in known))
    begin, tried, kept, slowest = len(reached), 0, 0, 0.0
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:

        @seed(random.SystemRandom().getrandbits(64))
        @settings(_quiet(ROUND))
        @given(inputs(target, known))
        def check(data: bytes) -> None:
            nonlocal tried, kept, slowest
            began = time.process_time()
            with _limited_time(data):
                new = lines(target.check, data) - reached
            tried, slowest = tried + 1, max(slowest, time.process_time() - began)
            if new:
                data = _shorter(data, lambda one: new <= lines(target.check, one))
                reached.update(new)
                known.append(data)
                kept += _keep(target, data)

        check()
    sys.stderr.write(
        f"\nfuzz {target.name}: {tried} inputs, {kept} kept, {begin} lines at first, {len(reached)} now, "
        f"slowest {slowest:.2f} CPU seconds\n"
    )


def lines(check: Callable[[bytes], object], data: bytes) -> set[tuple[str, int]]:
    """Return the lines of digestmail that run during a check, in all threads that it starts."""
    seen: set[tuple[str, int]] = set()

    def in_function(frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            seen.add((frame.f_code.co_filename, frame.f_lineno))
        return in_function

    def on_call(frame: FrameType, _event: str, _: Any) -> Any:
        return in_function if frame.f_code.co_filename.startswith(PACKAGE) else None

    before = sys.gettrace()
    threading.settrace(on_call)
    sys.settrace(on_call)
    try:
        check(data)
    finally:
        sys.settrace(before)
        threading.settrace(None)  # type: ignore[arg-type] # as in its documentation
    return seen


@contextmanager
def _limited_time(data: bytes) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise HangError(f"more than {LONGEST_CPU:g} CPU seconds for {data!r}")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, LONGEST_CPU)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _shorter(data: bytes, still: Callable[[bytes], bool]) -> bytes:
    """Return `data` without the parts for which `still` holds without them too."""
    size = len(data) // 2
    while size >= 8:
        for at in range(0, len(data), size):
            candidate = data[:at] + data[at + size :]
            if _holds(still, candidate):
                data = candidate
        size //= 2
    return data


def _holds(still: Callable[[bytes], bool], data: bytes) -> bool:
    try:
        return still(data)
    except Exception:  # noqa: BLE001 - a fault of another input than the one that is shortened; it will be met again
        return False


def _keep(target: Target, data: bytes) -> bool:
    """Store an input. Return whether it is short enough."""
    if len(data) > LONGEST_KEPT:
        return False
    path = CORPUS / target.name / hashlib.sha256(data).hexdigest()[:16]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return True


def texts_in(value: object) -> Iterator[str]:
    """Yield every text inside a result: in tuples, lists, mappings and dataclasses."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (text for pair in value.items() for one in pair for text in texts_in(one))
    elif isinstance(value, list | tuple | set | frozenset):
        yield from (text for one in value for text in texts_in(one))
    elif hasattr(value, "__dataclass_fields__"):
        yield from (text for name in value.__dataclass_fields__ for text in texts_in(getattr(value, name)))


def check_texts(values: Iterable[object], most: int) -> None:
    """Check that every database stores the texts in `values`, and that they have at most `most` characters together."""
    total = 0
    for text in texts_in(list(values)):
        text.encode()
        assert "\0" not in text
        total += len(text)
    assert total <= most
