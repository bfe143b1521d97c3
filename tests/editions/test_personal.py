"""The section "For you": what publishing stores for each reader, and what becomes of it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from corpus import abstract
from editions import edition as edition_of
from editions import entry as entry_of
from fakes import AGENTS, THURSDAY, digest, paper, render
from hypothesis import given, settings
from hypothesis import strategies as st
from outbox import claim_deliveries
from readers import CALM, DAILY, DAY, LASERS, Readers, mixed, numbers_of, of_field, others, picked
from sqlalchemy import func, select, update

from digestmail.delivery.edition_composer import EditionComposer
from digestmail.editions import personal
from digestmail.editions.cadence import with_cadence
from digestmail.editions.compose import compose_next
from digestmail.editions.entitlement import entitlement_of
from digestmail.editions.explain import explain
from digestmail.editions.publish import publish
from digestmail.editions.requeue import requeue
from digestmail.errors import RenderError, SubscriptionError
from digestmail.mail.message import MessageTemplate
from digestmail.mail.message_headers import Sender
from digestmail.mail.tokens import Tokens
from digestmail.model.deliveries import DeliveryState
from digestmail.model.digests import Cadence, Conditions, Digest, FilterRules, Limits, OnEmpty
from digestmail.model.papers import PaperId, Sighting
from digestmail.model.personal import KnownPaper, Pick, PickKind, PickReason, Profile, ReadingListKind
from digestmail.model.selection import PersonalSection, Section
from digestmail.model.subscribers import Subscription
from digestmail.storage import editions, papers, picks, profiles, reading_lists, subscribers
from digestmail.storage import schema as tables
from digestmail.storage.database import Database
from digestmail.subscribers import data_export
from digestmail.subscribers import feedback as answers

SENDER = Sender(mailbox="Digest <digest@example.org>", domain="example.org", base_url="https://example.org")


@pytest.fixture
def world(database) -> Readers:
    """Two readers of a digest that shows five papers; one of them liked a paper about optics the day before."""
    world = Readers(database)
    world.add("ada")
    world.add("ben")
    world.see({900: "optics", 901: "law"}, THURSDAY - DAY)
    world.rate("ada", 900)
    world.see(mixed(0, 24))
    return world


def test_a_liked_paper_gives_the_next_edition_a_section_that_says_why(world):
    small = replace(DAILY, limits=Limits(max_papers=5))
    (report,) = world.publish(small)
    assert (report.recipients, report.personal, report.nothing_for) == (2, 1, 0)
    (section, *rest) = world.email("ada", small)
    assert isinstance(section, PersonalSection)
    assert len(numbers_of(section)) == 3
    liked = [number for number, why in zip(numbers_of(section), section.reasons, strict=True) if why.title]
    assert len(liked) >= 2
    assert of_field(liked, "optics", mixed(0, 24))
    assert {why.title for why in section.reasons if why.kind is PickKind.LIKED} == {"Paper 900"}
    assert len(picked((section,))) + len(others(tuple(rest))) == 5, "the limit holds for the email"
    assert not set(numbers_of(section)) & set(others(tuple(rest)))
    assert others(world.email("ben", small)) == [*sorted(numbers_of_edition(world, small))][:5]
    assert picked(world.email("ben", small)) == []


def numbers_of_edition(world: Readers, of: Digest, slot: str = "2026-04-02") -> list[int]:
    with world.database.connect() as connection:
        return [
            int(entry.paper.id.rpartition(".")[2]) for entry in editions.get(connection, of.name, slot).edition.entries
        ]


def test_erasing_the_feedback_removes_the_section_from_the_next_edition(world):
    world.publish()
    assert picked(world.email("ada"))
    answers.remove(world.database, world.ids["ada"], paper(900).id)
    world.see(mixed(100, 12), THURSDAY + DAY)
    world.publish(now=THURSDAY + DAY)
    sections = world.email("ada", slot="2026-04-03")
    assert sections
    assert picked(sections) == []


def test_all_that_the_database_has_about_a_pick_is_what_the_email_shows(world):
    world.publish()
    (delivery,) = (one for one in claimed(world) if one.picks is not None)
    assert delivery.subscriber_id == world.ids["ada"]
    assert sent(world, delivery) == [world.email("ada")]
    with world.database.connect() as connection:
        rows = connection.execute(select(tables.picked_papers).order_by(tables.picked_papers.c.position)).all()
        stored = editions.get(connection, "daily", "2026-04-02").edition
    assert [row.content is None for row in rows] == [row.position <= len(stored.entries) for row in rows]


def claimed(world: Readers, now: datetime = THURSDAY + 90 * DAY):
    with world.database.begin() as connection:
        return claim_deliveries(connection, 1000, now, DAY)


def sent(world: Readers, *found) -> list[tuple[Section, ...]]:
    """Return the sections of each rendering that the messages of these deliveries need."""
    shown: list[tuple[Section, ...]] = []

    def remember(edition, sections, *, language=None):
        shown.append(sections)
        return render(edition, sections, language=language)

    composer = EditionComposer(
        world.database,
        remember,
        lambda edition, rendered: MessageTemplate(rendered, SENDER, digest=edition.digest, title=edition.title),
        Tokens("secret"),
        sender="digest@example.org",
        domain="example.org",
    )
    for delivery in found:
        composer.write(delivery, THURSDAY)
    return shown


def test_a_message_is_rendered_once_for_equal_picks(world):
    twin = world.add("cid")
    world.publish()
    deliveries = claimed(world)
    copied = next(one for one in deliveries if one.picks)._replace(subscriber_id=twin)
    assert len({one.segment_id for one in deliveries}) == 1, "the sections are shared"
    assert sorted(map(picked, sent(world, *deliveries, copied))) == [[], picked(world.email("ada"))]


def test_papers_that_the_edition_does_not_contain_are_not_published_by_picking_them(world):
    small = replace(DAILY, limits=Limits(max_papers=3))
    world.publish(small)
    beyond = set(picked(world.email("ada", small))) - set(numbers_of_edition(world, small))
    assert beyond
    world.see({500: "law"}, THURSDAY + DAY)
    large = replace(DAILY, limits=Limits(max_papers=100, max_per_topic=100), window_days=5)
    world.publish(large, now=THURSDAY + DAY)
    assert beyond <= set(numbers_of_edition(world, large, "2026-04-03"))
    assert beyond <= set(others(world.email("ben", large, "2026-04-03")))
    again = world.email("ada", large, "2026-04-03")
    assert not beyond & {*picked(again), *others(again)}, "no reader gets a paper twice"


def test_a_reader_whose_topics_match_nothing_gets_an_email_of_picks(world):
    world.add("eve", topics=("Agents",))
    world.add("fay", topics=("Agents",))
    world.rate("eve", 901)
    (report,) = world.publish()
    assert (report.recipients, report.personal, report.nothing_for) == (3, 2, 1)
    (section,) = world.email("eve")
    assert isinstance(section, PersonalSection)
    assert world.email("fay") is None


def test_a_personal_email_has_only_the_section_for_you(world):
    personal = replace(DAILY, personal=True, limits=Limits(max_papers=8))
    world.publish(personal)
    (section,) = world.email("ada", personal)
    assert isinstance(section, PersonalSection)
    assert 5 <= len(numbers_of(section)) <= 8
    assert len(others(world.email("ben", personal))) == 8, "nothing is known about this reader"


def test_a_personal_digest_sends_picks_on_a_day_on_which_nothing_qualifies(world):
    personal = replace(DAILY, personal=True, topics=(AGENTS,), also_trending=False)
    (report,) = world.publish(personal)
    assert (report.status, report.papers, report.recipients, report.personal) == ("published", 0, 1, 1)
    assert report.reason.startswith("none of ")
    assert picked(world.email("ada", personal))
    assert world.email("ben", personal) is None
    (again,) = world.publish(personal, now=THURSDAY + timedelta(hours=2))
    assert again.status == "already-published"
    (tomorrow,) = world.publish(personal, now=THURSDAY + DAY)
    assert (tomorrow.status, tomorrow.recipients) == ("empty", 0), "what is left over is not enough for an email"
    world.see({300: "optics"}, THURSDAY + DAY + timedelta(hours=2))
    (later,) = world.publish(personal, now=THURSDAY + DAY + timedelta(hours=2))
    assert (later.status, later.recipients) == ("published", 1)
    assert 300 in picked(world.email("ada", personal, "2026-04-03"))


def test_on_a_day_without_papers_a_digest_by_topics_sends_no_picks(world):
    (report,) = world.publish(replace(DAILY, also_trending=False))
    assert (report.status, report.recipients, report.personal) == ("empty", 0, 0)


def test_an_empty_edition_that_is_sent_reaches_each_reader_once(world):
    personal = replace(DAILY, personal=True, also_trending=False, on_empty=OnEmpty.SEND)
    (report,) = world.publish(personal)
    assert (report.recipients, report.personal) == (2, 1)
    assert world.email("ben", personal) == ()


def test_no_section_is_made_if_the_digest_wants_none(world):
    none = replace(DAILY, for_you=0)
    (report,) = world.publish(none)
    assert report.personal == 0
    assert picked(world.email("ada", none)) == []


def test_a_paper_of_another_digest_is_not_picked_again_unless_repeats_are_allowed(world):
    second = replace(digest("second", cron="0 8 * * *"), window_days=3, for_you=3)
    with world.database.begin() as connection:
        for name in ("ada", "ben"):
            subscribers.subscribe(connection, world.ids[name], Subscription(digest="second"), THURSDAY)
    small = replace(DAILY, limits=Limits(max_papers=4))
    world.publish(small)
    first = world.email("ada", small)
    got = {*picked(first), *others(first)}
    world.publish(second, now=THURSDAY + timedelta(hours=1))
    then = world.email("ada", second)
    assert picked(then)
    assert not got & {*picked(then), *others(then)}
    assert set(picked(first)) - set(numbers_of_edition(world, small)) <= set(others(world.email("ben", second)))
    third = replace(second, name="third", allow_repeats_of=("daily", "second"))
    with world.database.begin() as connection:
        subscribers.subscribe(connection, world.ids["ada"], Subscription(digest="third"), THURSDAY)
    world.publish(third, now=THURSDAY + timedelta(hours=1))
    repeated = world.email("ada", third)
    assert set(picked(first)) & {*picked(repeated), *others(repeated)}


@pytest.mark.parametrize("state", [DeliveryState.FAILED, DeliveryState.CANCELLED])
def test_picks_of_an_email_that_was_not_sent_can_be_picked_again(world, state):
    world.publish()
    before = picked(world.email("ada"))
    with world.database.begin() as connection:
        connection.execute(update(tables.deliveries).values(state=state, due_at=None))
    world.see({400: "law"}, THURSDAY + DAY)
    world.publish(replace(DAILY, for_you=20, limits=Limits(max_papers=20)), now=THURSDAY + DAY)
    in_edition = set(numbers_of_edition(world, DAILY))
    assert set(before) - in_edition <= set(picked(world.email("ada", DAILY, "2026-04-03")))


def test_the_order_of_feedback_does_not_matter(database):
    found = []
    for order in (1, -1):
        with reset(database) as world:
            world.add("ada")
            world.see({900: "optics", 901: "law", 902: "soil"}, THURSDAY - DAY)
            for number in (900, 901, 902)[::order]:
                world.rate("ada", number, liked=number != 901)
            world.see(mixed(0, 24))
            world.publish(CALM)
            found.append(world.email("ada", CALM))
    assert picked(found[0])
    assert found[0] == found[1]


def test_erased_feedback_has_the_same_effect_as_none(database):
    found = []
    for erased in (True, False):
        with reset(database) as world:
            world.add("ada")
            world.see({900: "optics", 901: "law"}, THURSDAY - DAY)
            world.rate("ada", 900)
            if erased:
                world.rate("ada", 901)
                answers.remove(world.database, world.ids["ada"], paper(901).id)
            world.see(mixed(0, 24))
            world.publish(CALM)
            found.append(world.email("ada", CALM))
    assert picked(found[0])
    assert found[0] == found[1]


@contextmanager
def reset(database: Database) -> Iterator[Readers]:
    """Yield readers without any history, and remove everything afterwards."""
    yield Readers(database)
    with database.begin() as connection:
        for table in reversed(tables.metadata.sorted_tables):
            if table.name != "settings":
                connection.execute(table.delete())


def test_without_feedback_nothing_of_the_ranking_is_loaded(database, monkeypatch):
    monkeypatch.setitem(sys.modules, "digestmail.selection.personal", None)
    world = Readers(database)
    world.add("ada")
    world.see(mixed(0, 12))
    (report,) = world.publish()
    assert (report.status, report.personal) == ("published", 0)
    world.rate("ada", 3)
    world.see(mixed(100, 12), THURSDAY + DAY)
    (failed,) = world.publish(now=THURSDAY + DAY)
    assert failed.status == "failed", "the test would notice"


def test_the_operator_s_profile_is_everybody_s(world):
    everyone = replace(DAILY, profile=Profile(interests="court statute verdict plaintiff", exploration=0.0))
    (report,) = world.publish(everyone)
    assert report.personal == 2
    (section, *_) = world.email("ben", everyone)
    assert {why.kind for why in section.reasons} == {PickKind.INTERESTS}
    assert of_field(numbers_of(section), "law", mixed(0, 24))


def read_by(world: Readers, name: str | None, field: str) -> None:
    """Give a reader, or the configuration, a reading list of six papers about a field."""
    known = [KnownPaper(title=f"{field} {number}", abstract=abstract(field, Random(number))) for number in range(6)]
    with world.database.begin() as connection:
        owner = None if name is None else world.ids[name]
        reading_lists.add(connection, owner, ReadingListKind.FILE, "own.bib", known, THURSDAY, complete=True)


def test_a_profile_of_their_own_replaces_the_operator_s(world):
    everyone = replace(DAILY, profile=Profile(interests="court statute verdict plaintiff", exploration=0.0))
    with world.database.begin() as connection:
        own = Profile(interests="melody harmony rhythm chord", blocked_words=("tempo",), exploration=0.0)
        profiles.store(connection, world.ids["ben"], own, THURSDAY)
    world.publish(everyone)
    (mine, *_) = world.email("ben", everyone)
    assert of_field(numbers_of(mine), "music", mixed(0, 24))
    texts = {number: abstract("music", Random(number)) for number in numbers_of(mine)}
    assert not any("tempo" in text.split() for text in texts.values())
    (section, *_) = world.email("ada", everyone)
    assert {why.kind for why in section.reasons} <= {PickKind.LIKED, PickKind.INTERESTS}


def test_reading_lists_of_a_reader_and_of_the_configuration_are_read(world):
    everyone = replace(DAILY, profile=Profile(exploration=0.0))
    read_by(world, None, "law")
    read_by(world, "ada", "soil")
    world.publish(everyone)
    (section, *_) = world.email("ben", everyone)
    assert of_field(numbers_of(section), "law", mixed(0, 24))
    assert all(why.kind is PickKind.READING_LIST and why.title.startswith("law ") for why in section.reasons)
    (section, *_) = world.email("ada", everyone)
    assert {why.title.split()[0] for why in section.reasons if why.title} <= {"soil", "Paper"}


def test_a_paper_of_a_reading_list_is_not_picked_and_explain_says_why(world):
    own = [KnownPaper(title=f"Paper  {number}", abstract=abstract("optics", Random(number))) for number in (0, 4)]
    with world.database.begin() as connection:
        reading_lists.add(connection, world.ids["ben"], ReadingListKind.FILE, "mine.bib", own, THURSDAY, complete=True)
    _, said = explained(world, "ben", 4)
    assert said[-1] == "not picked for them: they know it: it is in one of their reading lists"
    world.publish(CALM)
    (section, *_) = world.email("ben")
    like = {why.kind: number for number, why in zip(numbers_of(section), section.reasons, strict=True)}
    assert like[PickKind.READING_LIST] in {8, 12, 16, 20, 900}
    assert not {0, 4} & set(numbers_of(section)), "also not as something different"


def test_readers_with_profiles_are_judged_some_at_a_time(world, monkeypatch):
    monkeypatch.setattr(personal, "_PROFILES_AT_ONCE", 1)
    with world.database.begin() as connection:
        for name, interests in (("ada", "laser photon"), ("ben", "melody chord")):
            profiles.store(connection, world.ids[name], Profile(interests=interests, exploration=0.0), THURSDAY)
    world.publish()
    assert of_field(picked(world.email("ada")), "optics", mixed(0, 24))
    assert of_field(picked(world.email("ben")), "music", mixed(0, 24))


def test_an_edition_that_cannot_be_rendered_with_picks_is_not_published(world):
    def broken(edition, sections, *, language=None):
        if any(isinstance(section, PersonalSection) for section in sections):
            raise RenderError("email/edition.mjml: wrong")
        return render(edition, sections, language=language)

    (report,) = publish(world.database, [DAILY], broken, THURSDAY).digests
    assert (report.status, report.reason) == ("failed", "email/edition.mjml: wrong")
    with world.database.connect() as connection:
        for table in (tables.deliveries, tables.picked_papers, tables.pick_reasons, tables.editions):
            assert connection.execute(select(func.count()).select_from(table)).scalar() == 0


def test_before_publishing_a_reader_s_part_is_what_publishing_stores(world):
    with world.database.connect() as connection:
        readers = {name: subscribers.get(connection, number) for name, number in world.ids.items()}
    composed = compose_next(world.database, DAILY, THURSDAY)
    with world.database.connect() as connection:
        before = {
            name: entitlement_of(connection, DAILY, composed.edition, reader, composed.pickable).sections
            for name, reader in readers.items()
        }
    world.publish()
    assert before == {name: world.email(name) for name in readers}
    assert picked(before["ada"])


def test_changed_preferences_keep_the_picks(world):
    world.publish()
    before = picked(world.email("ada"))
    with world.database.begin() as connection:
        old = subscribers.get(connection, world.ids["ada"])
        subscribers.subscribe(connection, old.id, Subscription(digest="daily", topics=("Agents",)), THURSDAY)
        new = subscribers.get(connection, old.id)
        assert requeue(connection, [DAILY], old, new, THURSDAY) == 1
    assert picked(world.email("ada")) == before
    assert others(world.email("ada")) == [], "nothing matches the new topics, but the picks are sent"


def test_feedback_links_lead_to_picks_but_only_for_their_reader(world):
    small = replace(DAILY, limits=Limits(max_papers=3))
    world.publish(small)
    (section, *_) = world.email("ada", small)
    in_edition = len(numbers_of_edition(world, small))
    assert max(section.positions) > in_edition
    for entry, position in zip(section.entries, section.positions, strict=True):
        named = answers.PaperInEdition(digest="daily", slot="2026-04-02", position=position)
        given = answers.give(world.database, world.ids["ada"], named, THURSDAY, liked=False)
        assert given.paper.id == entry.paper.id
        if position > in_edition:
            with pytest.raises(SubscriptionError, match="no such paper"):
                answers.find(world.database, world.ids["ben"], named)
    beyond = answers.PaperInEdition(digest="daily", slot="2026-04-02", position=99_999)
    with pytest.raises(SubscriptionError, match="no such paper"):
        answers.find(world.database, world.ids["ada"], beyond)


def test_the_reader_s_data_has_the_picks_and_erasing_forgets_them(world):
    world.publish()
    export = data_export.export(world.database, world.ids["ada"])
    section = world.email("ada")[0]
    assert [one.paper_id for one in export.picks] == [entry.paper.id for entry in section.entries]
    assert [one.reason for one in export.picks] == list(section.reasons)
    assert data_export.export(world.database, world.ids["ben"]).picks == ()
    data_export.erase(world.database, world.ids["ada"], THURSDAY, random_token=lambda: "key")
    with world.database.connect() as connection:
        assert not connection.execute(select(tables.deliveries).where(tables.deliveries.c.picks.is_not(None))).all()


def test_a_title_that_only_one_reader_may_know_is_erased_with_them(database):
    world = Readers(database)
    ada = world.add("ada")
    world.see(mixed(0, 4))
    world.publish()
    own = PickReason(kind=PickKind.READING_LIST, title="An unpublished draft")
    shared = PickReason(kind=PickKind.LIKED, title="Paper 1")
    with database.begin() as connection:
        stored = editions.get(connection, "daily", "2026-04-02")
        reasons = [
            picks.NewReason(number=0, reason=own, subscriber_id=ada),
            picks.NewReason(number=1, reason=shared, subscriber_id=None),
        ]
        picks.add_reasons(connection, stored.id, reasons)
    data_export.erase(database, ada, THURSDAY, random_token=lambda: "key")
    with database.connect() as connection:
        assert connection.execute(select(tables.pick_reasons.c.title)).scalars().all() == ["Paper 1"]


def test_equal_reasons_have_one_number_unless_they_belong_to_their_reader():
    shown = edition_of((Section(topic=None, entries=tuple(entry_of(number, f"Paper {number}") for number in (1, 2))),))
    one, two = (each.paper.id for each in shown.entries)
    papers_picked = personal.PickedPapers(shown, ())

    def numbers(reader: int, *reasons: PickReason) -> list[tuple[int, int]]:
        chosen = [Pick(paper_id=each, reason=reason) for each, reason in zip((one, two), reasons, strict=True)]
        return list(picks.unpack(papers_picked.packed(reader, chosen)))

    def liked() -> PickReason:
        return PickReason(kind=PickKind.LIKED, title="Optics")

    def own() -> PickReason:
        return PickReason(kind=PickKind.READING_LIST, title="A draft")

    assert numbers(1, liked(), liked()) == [(1, 0), (2, 0)]
    assert numbers(2, liked(), replace(liked(), title="Law")) == [(1, 0), (2, 1)]
    assert numbers(3, own(), own()) == [(1, 2), (2, 2)]
    assert numbers(4, own(), liked()) == [(1, 3), (2, 0)]


@st.composite
def lives(draw) -> list[dict]:
    """Draw what happens on some days: papers that come, thumbs, the digests' settings, and emails that fail."""
    names = st.sampled_from(["ada", "ben", "cid"])
    thumb = st.tuples(names, st.integers(0, 30), st.booleans())
    day = st.fixed_dictionaries(
        {
            "papers": st.integers(0, 9),
            "thumbs": st.lists(thumb, max_size=3),
            "for_you": st.integers(0, 4),
            "most": st.integers(2, 8),
            "personal": st.booleans(),
            "failed": st.none() | names,
        }
    )
    return draw(st.lists(day, min_size=2, max_size=5))


@given(lives())
@settings(max_examples=25, deadline=None)
def test_no_reader_gets_a_paper_twice_whatever_happens(sqlite_template, days):
    with TemporaryDirectory() as directory:
        shutil.copy(sqlite_template, Path(directory) / "life.db")
        database = Database.open("sqlite:///life.db", base=Path(directory))
        try:
            live(Readers(database), days)
        finally:
            database.close()


def live(world: Readers, days: list[dict]) -> None:
    world.add("ada", "daily", "other")
    world.add("ben", "other", "daily", topics=("Lasers",))
    world.add("cid", "daily")
    got: dict[str, list[int]] = {name: [] for name in world.ids}
    shown = 0
    for number, day in enumerate(days):
        now = THURSDAY + number * DAY
        world.see(mixed(shown, day["papers"]), now)
        shown += day["papers"]
        for name, rated, liked in day["thumbs"]:
            if rated < shown:
                world.rate(name, rated, liked=liked, now=now)
        for base in (replace(DAILY, topics=(LASERS,)), digest("other", topics=(LASERS,), window_days=3)):
            limits = Limits(max_papers=day["most"], max_per_topic=4)
            of = replace(base, for_you=day["for_you"], personal=day["personal"], limits=limits)
            (report,) = world.publish(of, now=now)
            assert report.status in {"published", "empty"}, report.reason
            slot = now.date().isoformat()
            for name in world.ids if report.recipients else ():
                sections = world.email(name, of, slot)
                found = [*picked(sections), *others(sections)]
                assert len(found) <= day["most"]
                got[name] += found if name != day["failed"] else []
            if report.recipients and day["failed"]:
                fail(world, day["failed"], of, slot)
    for name, received in got.items():
        assert len(received) == len(set(received)), name


def fail(world: Readers, name: str, of: Digest, slot: str) -> None:
    d = tables.deliveries.c
    with world.database.begin() as connection:
        edition_id = editions.get(connection, of.name, slot).id
        mine = d.edition_id == edition_id, d.subscriber_id == world.ids[name]
        connection.execute(update(tables.deliveries).where(*mine).values(state=DeliveryState.FAILED, due_at=None))


def explained(
    world: Readers, name: str, number: int, of: Digest = DAILY, now: datetime = THURSDAY
) -> tuple[str, list[str]]:
    """Return the outcome for a paper, and the sentences about a reader."""
    with world.database.connect() as connection:
        reader = subscribers.get(connection, world.ids[name])
        _, (found,) = explain(connection, [of], paper(number).id, now, reader=reader)
    about = [one for one in found.reasons if "@example.org" in one or one.startswith("not picked")]
    return found.outcome, about


def test_explain_says_before_publishing_what_is_picked_and_why(world):
    composed = compose_next(world.database, DAILY, THURSDAY)
    with world.database.connect() as connection:
        reader = subscribers.get(connection, world.ids["ada"])
        sections = entitlement_of(connection, DAILY, composed.edition, reader, composed.pickable).sections
    first = picked(sections)[0]
    _, (said,) = explained(world, "ada", first)
    assert said == "ada@example.org gets it as number 1 of \"For you\": like 'Paper 900', which they liked"
    _, (place, why_not) = explained(world, "ben", first)
    assert place.startswith("ben@example.org ")
    assert why_not == (
        "not picked for them: nothing is known about their interests; there is neither feedback nor a profile"
    )
    world.publish()
    _, stored = explained(world, "ada", first)
    assert stored[0] == "picked for ada@example.org in the edition of 2026-04-02: like 'Paper 900', which they liked"


@pytest.mark.parametrize(
    ("change", "number", "expected"),
    [
        ({"for_you": 0}, 0, "the digest has for_you = 0"),
        ({}, 900, "they gave feedback on it before"),
        ({}, 1, "it is no closer to what is known about their interests than the average paper of the day"),
        ({"for_you": 1, "profile": Profile(exploration=0.0)}, 4, "like 'Paper 900', which they liked"),
        ({"profile": Profile(blocked_words=("music", "photon"))}, 4, "it contains 'photon', which they block"),
        ({"profile": Profile(blocked_words=("beam", "photon"))}, 4, "it contains 'beam', 'photon', which they block"),
        ({"rules": FilterRules(block=Conditions(words=("photon",)))}, 4, "only candidates that no rule leaves out"),
    ],
    ids=["off", "rated", "average", "rank", "blocked", "two words", "rule"],
)
def test_explain_says_why_a_paper_is_not_picked(world, change, number, expected):
    _, said = explained(world, "ada", number, replace(DAILY, **change))
    assert said[-1].startswith("not picked for them: ")
    assert expected in said[-1]


def test_explain_knows_readers_who_get_no_email_and_papers_that_were_received(world):
    world.add("eve", "weekly")
    world.add("fay")
    with world.database.begin() as connection:
        subscribers.remove(connection, "fay@example.org", THURSDAY)
    assert explained(world, "eve", 0)[1] == ["eve@example.org is not subscribed to this digest"]
    assert explained(world, "fay", 0)[1] == [
        "fay@example.org gets no emails, because the state of the address is unsubscribed"
    ]
    small = replace(DAILY, limits=Limits(max_papers=3))
    world.publish(small)
    beyond = set(picked(world.email("ada", small))) - set(numbers_of_edition(world, small))
    world.see({800: "law"}, THURSDAY + DAY)
    _, said = explained(world, "ada", min(beyond), small, THURSDAY + DAY)
    assert said[0].startswith("picked for ada@example.org in the edition of 2026-04-02: ")
    assert said[1:] == ["ada@example.org does not get it again"]
    inside = numbers_of_edition(world, small)[0]
    assert explained(world, "eve", inside, small)[1] == ["eve@example.org did not get the edition of 2026-04-02"]
    assert explained(world, "ben", inside, small)[1] == [
        "ben@example.org got it among the papers without a topic, in the edition of 2026-04-02"
    ]


def test_a_picked_paper_stays_received_and_rated_when_it_is_merged_with_another(world):
    small = replace(DAILY, limits=Limits(max_papers=3), window_days=5)
    world.publish(small)
    section = world.email("ada", small)[0]
    entry, position = max(zip(section.entries, section.positions, strict=True), key=lambda one: one[1])
    assert position > len(numbers_of_edition(world, small))
    number = int(entry.paper.id.rpartition(".")[2])
    # A source shows the paper under a DOI that is in the database already, with an older row.
    doi = replace(paper(number), id=PaperId("doi:10.1000/x"), link="https://doi.org/10.1000/x")
    with world.database.begin() as connection:
        papers.add_sightings(connection, [Sighting(source="feed", paper=doi, day=THURSDAY.date())], THURSDAY)
        both = replace(paper(number), aliases=(doi.id,))
        merged = papers.add_sightings(connection, [Sighting(source="hf", paper=both, day=THURSDAY.date())], THURSDAY)
        assert merged.merged == 1
    named = answers.PaperInEdition(digest="daily", slot="2026-04-02", position=position)
    assert answers.give(world.database, world.ids["ada"], named, THURSDAY, liked=None).paper.id == paper(number).id
    assert world.email("ada", small)[0] == section, "what was sent does not change"
    world.see({700: "optics"}, THURSDAY + DAY)
    large = replace(small, limits=Limits(max_papers=100, max_per_topic=100))
    world.publish(large, now=THURSDAY + DAY)
    again = world.email("ada", large, "2026-04-03")
    assert 700 in {*picked(again), *others(again)}
    assert number not in {*picked(again), *others(again)}
    assert number in others(world.email("ben", large, "2026-04-03"))
    assert number in [
        int(one.paper_id.rpartition(".")[2]) for one in data_export.export(world.database, world.ids["ada"]).picks
    ]


def test_readers_of_a_weekly_edition_get_picks_and_none_of_their_daily_picks_again(world):
    world.publish(DAILY)
    daily = world.email("ada")
    got = {*picked(daily), *others(daily)}
    with world.database.begin() as connection:
        for name in ("ada", "ben"):
            rarer = Subscription(digest="daily", cadence=Cadence.WEEKLY)
            subscribers.subscribe(connection, world.ids[name], rarer, THURSDAY + timedelta(hours=1))
    monday = THURSDAY + 4 * DAY
    world.see(mixed(300, 12), monday)
    reports = {report.digest: report for report in world.publish(DAILY, now=monday)}
    assert (reports["daily@weekly"].recipients, reports["daily@weekly"].personal) == (2, 1)
    weekly = with_cadence(DAILY, Cadence.WEEKLY)
    sections = world.email("ada", weekly, "2026-04-06")
    assert picked(sections)
    assert not got & {*picked(sections), *others(sections)}
    assert set(got) & set(numbers_of_edition(world, weekly, "2026-04-06")), "others may get them"
    assert picked(world.email("ben", weekly, "2026-04-06")) == []
