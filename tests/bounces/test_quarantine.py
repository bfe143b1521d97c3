"""One message or event that cannot be processed never stops the others."""

from __future__ import annotations

from pathlib import Path

import pytest
from bounce_messages import READER, TOKENS, block, dsn, return_path
from fakes import THURSDAY, FakeClock

from digestmail.bounces.listen import listen
from digestmail.bounces.mailboxes.base import MailboxError, ReceivedMessage
from digestmail.bounces.mailboxes.maildir import MaildirMailbox
from digestmail.bounces.mailboxes.quarantine import QuarantineFolder
from digestmail.bounces.parsing.report import BounceClass, FailedRecipient, InboundReport, Kind, RecipientProof
from digestmail.bounces.processor import BounceProcessor
from digestmail.bounces.score import Scoring
from digestmail.storage import subscribers

MARKED = b"Subject: the one\n\n"


def ignore(request):
    raise AssertionError(request)


@pytest.fixture
def reader(database) -> int:
    with database.begin() as connection:
        return subscribers.add(connection, READER, THURSDAY)


@pytest.fixture
def processor(database) -> BounceProcessor:
    return BounceProcessor(database, TOKENS, Scoring(), FakeClock(), unsubscribe=ignore)


def maildir(path: Path, *raws: bytes) -> MaildirMailbox:
    for folder in ("new", "cur", "tmp"):
        (path / folder).mkdir(parents=True)
    for number, raw in enumerate(raws):
        (path / "new" / str(number)).write_bytes(raw)
    return MaildirMailbox(path, max_bytes=100_000)


def fail_on_marked(monkeypatch, error: Exception) -> None:
    from digestmail.bounces.parsing import parse

    classify = parse._classify

    def fail(mail):
        if mail["Subject"] == "the one":
            raise error
        return classify(mail)

    monkeypatch.setattr(parse, "_classify", fail)


@pytest.mark.parametrize("error", [RecursionError(), MemoryError(), ValueError("<a@b.example>"), KeyError("x")])
def test_a_message_that_the_parser_fails_on_is_put_aside_and_the_next_is_counted(
    tmp_path, reader, processor, monkeypatch, error
):
    fail_on_marked(monkeypatch, error)
    box = maildir(tmp_path / "mail", MARKED, dsn(block(said="550 5.1.1 unknown"), to=return_path(reader)))

    report = processor.read(box, stop=lambda: False)

    assert (report.read, report.failed, report.hard) == (2, 1, 1)
    (problem,) = report.problems
    assert problem.startswith(f"new/0: {type(error).__name__} in ")
    assert "a@b.example" not in problem
    assert box.count_quarantined() == 1
    assert list(box.messages()) == [], "neither is read again"


def test_a_message_that_counting_fails_on_is_put_aside(tmp_path, reader, processor, monkeypatch):
    from digestmail.bounces import processor as module

    record = module.record_event
    calls = iter([True, False])

    def fail(*arguments):
        if next(calls):
            raise OverflowError
        return record(*arguments)

    monkeypatch.setattr(module, "record_event", fail)
    raws = [dsn(block(said=f"550 5.1.1 unknown {n}"), to=return_path(reader)) for n in range(2)]
    report = processor.read(maildir(tmp_path / "mail", *raws), stop=lambda: False)
    assert (report.failed, report.hard) == (1, 1)


def test_a_message_that_is_too_large_is_put_aside_with_the_reason(tmp_path, reader, processor):
    box = maildir(tmp_path / "mail", b"x" * 100_001, dsn(to=return_path(reader)))
    report = processor.read(box, stop=lambda: False)
    assert (report.failed, report.hard + report.soft) == (1, 1)
    assert report.problems == ("new/0: it is larger than 100,000 bytes (bounces.max_bytes)",)


def test_parts_behind_bare_carriage_returns_are_counted(tmp_path, reader, processor):
    nested = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\r--b%d\r" % (n, n) for n in range(61))
    report = processor.read(maildir(tmp_path / "mail", nested), stop=lambda: False)
    assert report.problems == ("new/0: it has too many parts",)


class Stubborn:
    """A mailbox of two messages that can neither be put aside nor, for the keys in `unmarkable`, marked."""

    def __init__(self, *raws: bytes, unmarkable: frozenset[str] = frozenset()) -> None:
        self.raws = raws
        self.unmarkable = unmarkable

    def messages(self):
        yield from (ReceivedMessage(raw=raw, key=str(number)) for number, raw in enumerate(self.raws))

    def mark_done(self, message: ReceivedMessage) -> None:
        if message.key in self.unmarkable:
            raise MailboxError("the name is too long")

    def quarantine(self, message: ReceivedMessage) -> bool:
        raise MailboxError("the disk is full")

    def count_quarantined(self) -> int:
        return 0


def test_a_message_that_cannot_be_put_aside_does_not_stop_the_next(reader, processor, monkeypatch):
    fail_on_marked(monkeypatch, ValueError())
    report = processor.read(Stubborn(MARKED, dsn(to=return_path(reader))), stop=lambda: False)
    assert (report.failed, report.hard + report.soft) == (1, 1)
    assert "it could not be put into quarantine: the disk is full" in report.problems[0]


def test_a_message_that_cannot_be_marked_does_not_stop_the_next_but_a_mailbox_that_cannot_is_an_error(processor):
    some = Stubborn(b"a", b"b", unmarkable=frozenset({"0"}))
    assert processor.read(some, stop=lambda: False).read == 2
    with pytest.raises(MailboxError, match="too long"):
        processor.read(Stubborn(b"a", b"b", unmarkable=frozenset({"0", "1"})), stop=lambda: False)


def event(identity: str, text: str) -> InboundReport:
    failure = FailedRecipient(recipient=READER, status="5.1.1", text=text, verdict=BounceClass.SOFT)
    return InboundReport(
        kind=Kind.BOUNCE, identity=identity, recipient=READER, failures=(failure,), proof=RecipientProof()
    )


def test_an_event_that_cannot_be_counted_does_not_stop_the_others_of_its_batch(reader, processor, monkeypatch):
    from digestmail.bounces import processor as module

    record = module.record_event

    def fail(database, one, *rest):
        if one.report == "2":
            raise RecursionError
        return record(database, one, *rest)

    monkeypatch.setattr(module, "record_event", fail)
    report = processor.count_all([event("1", "a"), event("2", "b"), event("3", "c")])
    assert (report.read, report.soft, report.failed) == (3, 2, 1)
    assert report.problems[0].startswith("event 2: RecursionError in ")


def test_a_value_that_the_database_refuses_concerns_one_event_only(reader, processor, database):
    # No `report` column accepts a lone surrogate: SQLite and PostgreSQL raise different errors.
    report = processor.count_all([event("\ud800", "a"), event("2", "b")])
    assert (report.soft, report.failed) == (1, 1)
    assert report.problems[0].startswith("event \\ud800: ")


def test_the_listener_stores_what_it_cannot_process_and_accepts_it(tmp_path, reader, processor, monkeypatch):
    fail_on_marked(monkeypatch, MemoryError())
    folder = QuarantineFolder(tmp_path / "bounces" / ".quarantine")
    taken = []

    class FakeListener:
        def __init__(self, process, **_) -> None:
            taken.append(process)

        def start(self) -> None:
            taken[0](MARKED, ())
            taken[0](dsn(to=return_path(reader)), ())

        def stop(self) -> None: ...

    monkeypatch.setattr("digestmail.bounces.listen.Listener", FakeListener)
    report = listen(
        processor, FakeClock(), host="127.0.0.1", port=None, protocol="lmtp", max_bytes=1000, timeout=1.0,
        quarantine=folder, unsubscribed=lambda: None, stop=lambda: True,
    )  # fmt: skip
    assert (report.read, report.failed) == (2, 1)
    assert folder.count() == 1
