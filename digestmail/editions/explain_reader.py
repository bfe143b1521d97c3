"""Explains for one reader whether they got or would get a paper, and why it is or is not picked for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection

from digestmail.editions.compose import Composed
from digestmail.editions.entitlement import Entitlement, entitlement_of
from digestmail.editions.personal import ReaderPicks
from digestmail.model.digests import Digest, base_name
from digestmail.model.editions import Edition
from digestmail.model.papers import Paper, PaperId
from digestmail.model.personal import Profile, Taste
from digestmail.model.selection import PersonalSection
from digestmail.model.subscribers import Subscriber, SubscriberState
from digestmail.selection.explain import why_picked
from digestmail.selection.phrases import compile_phrase, occurs_in
from digestmail.selection.tokenize import read, title_key
from digestmail.storage import picks, received


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderQuestion:
    """The question why `digest` gives `paper` to `reader`, or not."""

    digest: Digest
    paper: Paper
    reader: Subscriber

    @property
    def names(self) -> frozenset[PaperId]:
        """All ids of the paper."""
        return frozenset({self.paper.id, *self.paper.aliases})


def explain_published(connection: Connection, asked: ReaderQuestion, edition: Edition) -> Iterator[str]:
    """Yield whether the reader got the paper, which `edition` contains: one sentence each without a full stop."""
    before = list(_picked_before(connection, asked))
    yield from before
    got = entitlement_of(connection, asked.digest, edition, asked.reader)
    address, slot = asked.reader.address, edition.slot.key
    if not got.delivered:
        yield f"{address} did not get the edition of {slot}"
    elif (place := _place(got, asked)) is not None:
        yield f"{address} got it {place}, in the edition of {slot}"
    elif not before:
        yield f"{address} did not get it in the edition of {slot}"


def explain_upcoming(connection: Connection, asked: ReaderQuestion, composed: Composed) -> Iterator[str]:
    """Yield whether the reader will get the paper, and why it is picked for them or not: sentences as above."""
    reader, digest = asked.reader, asked.digest
    before = list(_picked_before(connection, asked))
    yield from before
    if reader.state is not SubscriberState.ACTIVE:
        yield f"{reader.address} gets no emails, because the state of the address is {reader.state}"
    elif all(one.digest != digest.base for one in reader.subscriptions):
        yield f"{reader.address} is not subscribed to this digest"
    else:
        entitled = entitlement_of(connection, digest, composed.edition, reader, composed.pickable)
        place = _place(entitled, asked)
        if before and place is None:
            yield f"{reader.address} does not get it again"
            return
        yield f"{reader.address} {f'gets it {place}' if place else 'does not get it'}"
        picked = [entry.paper.id for section in entitled.sections[:1] for entry in section.entries]
        if not isinstance(next(iter(entitled.sections), None), PersonalSection) or not asked.names & set(picked):
            yield f"not picked for them: {_why_not(connection, asked, composed)}"


def _picked_before(connection: Connection, asked: ReaderQuestion) -> Iterator[str]:
    for one in picks.of(connection, asked.reader.id):
        if base_name(one.digest) == asked.digest.base and one.paper_id in asked.names:
            yield f"picked for {asked.reader.address} in the edition of {one.slot}: {why_picked(one.reason)}"


def _place(entitled: Entitlement, asked: ReaderQuestion) -> str | None:
    """Return where the reader's email has the paper, and why it is there if it was picked; None if nowhere."""
    for section in entitled.sections:
        for number, entry in enumerate(section.entries, start=1):
            if entry.paper.id in asked.names and isinstance(section, PersonalSection):
                return f'as number {number} of "For you": {why_picked(section.reasons[number - 1])}'
            if entry.paper.id in asked.names:
                return f"under {section.topic!r}" if section.topic else "among the papers without a topic"
    return None


def _why_not(connection: Connection, asked: ReaderQuestion, composed: Composed) -> str:
    """Return why the paper is not picked for the reader, as the end of a sentence."""
    digest, reader = asked.digest, asked.reader
    candidate = next((entry.paper for entry in composed.pickable if entry.paper.id in asked.names), None)
    if not digest.most_picks:
        return "the digest has for_you = 0"
    if candidate is None:
        return "only candidates that no rule leaves out can be picked" if composed.pickable else "there is no email"
    before = received.earlier(connection, [entry.paper.id for entry in composed.pickable], digest)
    got = received.of(connection, reader.id, before)
    if candidate.id in got:
        return "they received it before"
    readers = ReaderPicks(connection, digest, composed.edition, composed.pickable)
    taste = dict(readers.tastes({reader.id: got})).get(reader.id)
    if taste is None:
        return "nothing is known about their interests; there is neither feedback nor a profile"
    return "they gave feedback on it before" if candidate.id in taste.without else _by_rank(readers, taste, candidate)


def _by_rank(readers: ReaderPicks, taste: Taste, candidate: Paper) -> str:
    """Return what the paper lacks to be picked for a reader of this taste."""
    ranked = enumerate(readers.rank(taste), start=1)
    rank, found = next(((rank, one) for rank, one in ranked if one.paper_id == candidate.id), (0, None))
    if found is None:
        return _what_prevents(taste, candidate)
    if found.reason is None:
        return "it is no closer to what is known about their interests than the average paper of the day"
    return f"it is number {rank} for them, {why_picked(found.reason)}; the first that are unlike each other are picked"


def _what_prevents(taste: Taste, candidate: Paper) -> str:
    """Return why a paper that the reader neither received nor rated must not be picked for them."""
    profile = taste.profile or Profile()
    title = title_key(candidate.title)
    if title and any(title_key(known.title) == title for known in profile.papers):
        return "they know it: it is in one of their reading lists"
    text = read(candidate)
    words = [repr(word) for word in profile.blocked_words if occurs_in(compile_phrase(word), text)]
    return f"it contains {', '.join(words)}, which they block" if words else "nothing is known about what they like"
