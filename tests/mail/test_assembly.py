"""Emails that are assembled from parts are the same, octet for octet, as those that are rendered as a whole."""

from __future__ import annotations

import logging
import random
from dataclasses import replace
from pathlib import Path

import pytest
from dkimverifier import verifies
from editions import (
    ABSTRACT,
    GOLDEN_EDITIONS,
    SENDER,
    SIX,
    TOKEN,
    WHY_PICKED,
    edition,
    entry,
    full_edition,
    hebrew_edition,
    hostile_edition,
    section,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from digestmail.mail.dkim import Algorithm, Signer, generate
from digestmail.mail.edition_messages import EditionMessages
from digestmail.mail.encoding import LARGEST_MESSAGE, Joined, encode_lines, smaller
from digestmail.mail.message import MessageTemplate
from digestmail.mail.render import Renderer
from digestmail.mail.template_check import assembly_obstacles
from digestmail.mail.writer import MailWriter
from digestmail.model.editions import Beyond, Edition
from digestmail.model.papers import Signals
from digestmail.model.personal import PickKind, PickReason
from digestmail.model.selection import Count, Entry, PersonalSection, Section, TopicMatch, Trending
from digestmail.model.summaries import PaperSummary
from digestmail.model.theme import Appearance, Layout
from digestmail.selection.segments import for_segment, with_picks

RENDERER = Renderer()
LANGUAGES = ("en", "de", "fr", "he")
KEY = Signer(domain="example.org", selector="s", pem=generate(Algorithm.ED25519))
TOPICS = ("Agents", "Efficient training & serving", "Ökologie")


def writer(look: Appearance = Appearance(), *, renderer: Renderer = RENDERER, sender=SENDER, feedback=True, signers=()):  # noqa: B008 - frozen
    return MailWriter(renderer, sender, {"daily": look}, signers, feedback=feedback)


def octets(template: MessageTemplate, token: str = TOKEN) -> bytes:
    return template.personalize(
        recipient="reader@example.net",
        message_id="<daily.2026-04-02.abcdefgh@digest.example.org>",
        date=SIX,
        unsubscribe_token=token,
    )


def whole(of: MailWriter, edition: Edition, sections: tuple[Section, ...], language: str | None = None) -> bytes:
    return octets(of.edition_message(edition, of.render(edition, sections, language=language)))


class NoWhole(EditionMessages):
    """Fails instead of rendering an email as a whole."""

    def __init__(self, of: MailWriter, edition: Edition, language: str | None = None) -> None:
        self._assembly = of._assembly(edition, language)

    def message(self, edition: Edition, sections: tuple[Section, ...]) -> MessageTemplate:
        return self._assembly.message(edition, sections)[0]


def invented(rank: int, rng: random.Random, title: str | None = None) -> Entry:
    """Return a paper with what a source may give, and sometimes without."""
    matches = tuple(
        TopicMatch(topic=topic, strength=1.0, keywords=rng.choice([(), ("agent",), ("low bit", "quantization")]))
        for topic in rng.sample(TOPICS, rng.choice((0, 1, 1, 2)))
    )
    made = entry(
        rank,
        title or f"Findings on Naïve Baselines “Number {rank}” " + "and More Words " * rng.randrange(9),
        abstract=rng.choice(["", ABSTRACT, ABSTRACT * 4, "Größe über alles. " * 20]),
        summary=rng.choice([None, "We outperform all by 12%."]),
        authors=tuple(f"Àuthor {n}" for n in range(rng.randrange(6))),
        organization=rng.choice([None, "Example Institute of Technology"]),
        published_at=rng.choice([None, SIX]),
        link=rng.choice([None, f"https://example.org/{rank}?a=1&b={'x' * rng.randrange(90)}"]),
        discussion_url=rng.choice([None, f"https://huggingface.co/papers/{rank}"]),
        code_url=rng.choice([None, f"https://github.com/example/{rank}"]),
        thumbnail_url=rng.choice([None, f"https://pictures.example.org/{rank}.png"]),
        signals=Signals(
            upvotes=rng.choice([None, 0, 1, 9, 187]), comments=rng.choice([None, 3]), stars=rng.choice([None, 1640])
        ),
    )
    written = PaperSummary(language="en", sentence="A sentence.", points=("One.", "Two.", "Three."))
    return replace(made, matches=matches, summaries=rng.choice([(), (written,)]))


def day(rng: random.Random, papers: int, most: int) -> Edition:
    entries = tuple(invented(rank, rng) for rank in range(1, papers + 1))
    of = edition((), entries=entries, topics=TOPICS, beyond=(Beyond(topics=(TOPICS[0],), papers=4),))
    return replace(of, limits=replace(of.limits, max_papers=most))


def choice(rng: random.Random, of: Edition) -> tuple[Section, ...]:
    """Return what a reader gets who chose topics, and for whom papers were picked."""
    topics = rng.sample(TOPICS, rng.randrange(3))
    sections = for_segment(of, topics, {rng.choice(of.entries).paper.id})
    picked = rng.sample(range(len(of.entries)), rng.choice((0, 1, 5, 12)) % len(of.entries))
    if not picked:
        return sections
    reasons = [
        rng.choice([*WHY_PICKED, PickReason(kind=PickKind.LIKED, title=f"Liked {rng.randrange(9)}")]) for _ in picked
    ]
    for_you = PersonalSection(
        topic=None,
        entries=tuple(of.entries[at] for at in picked),
        reasons=tuple(reasons),
        positions=tuple(at + 1 for at in picked),
    )
    return with_picks(rng.choice([sections, ()]), for_you, of.limits.max_papers)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("layout", Layout)
def test_readers_with_different_topics_and_picks_get_what_is_rendered_as_a_whole(layout, language):
    rng = random.Random(f"{layout} {language}")
    of, writes = day(rng, 40, 25), writer(Appearance(layout=layout, thumbnails=True))
    messages = NoWhole(writes, of, language)
    for _ in range(8):
        sections = choice(rng, of)
        assert octets(messages.message(of, sections)) == whole(writes, of, sections, language)


@pytest.mark.parametrize("name", GOLDEN_EDITIONS)
def test_golden_editions_are_assembled_alike(name):
    of, look, language = GOLDEN_EDITIONS[name]
    writes = writer(look)
    assert octets(NoWhole(writes, of, language).message(of, of.sections)) == whole(writes, of, of.sections, language)


@pytest.mark.parametrize("papers", [26, 45, 120, 400])
@pytest.mark.parametrize("layout", Layout)
def test_the_same_is_cut_from_emails_that_are_too_large(layout, papers):
    rng = random.Random(papers)
    of, writes = day(rng, papers, papers), writer(Appearance(layout=layout, thumbnails=True), signers=(KEY,))
    sections = with_picks(
        for_segment(of, (), ()),
        PersonalSection(topic=None, entries=of.entries[3:9], reasons=WHY_PICKED[:1] * 6, positions=tuple(range(4, 10))),
        papers,
    )
    made = octets(NoWhole(writes, of).message(of, sections))
    assert made == whole(writes, of, sections)
    assert len(made) < LARGEST_MESSAGE


@pytest.mark.parametrize("feedback", [True, False])
@pytest.mark.parametrize("base_url", [None, "http://localhost:8000", "https://x.example/ü"])
def test_without_web_pages_or_links_for_feedback_they_are_the_same(base_url, feedback):
    rng = random.Random(3)
    of = day(rng, 12, 9)
    writes = writer(sender=replace(SENDER, base_url=base_url), feedback=feedback)
    messages = NoWhole(writes, of)
    for _ in range(4):
        sections = choice(rng, of)
        assert octets(messages.message(of, sections)) == whole(writes, of, sections)


def test_lines_about_trending_papers_and_catching_up_are_the_same():
    rng = random.Random(4)
    of = replace(day(rng, 12, 9), since=SIX.date())
    trending = tuple(
        Trending(paper=one.paper, published_on=SIX.date(), topics=(), count=Count.STARS, growth=20)
        for one in of.entries
    )
    writes = writer()
    messages = NoWhole(writes, of)
    for some in ((), trending[:1], trending[3:6]):
        sections, this = choice(rng, of), replace(of, trending=some)
        assert octets(messages.message(this, sections)) == whole(writes, this, sections)


def test_an_email_without_papers_is_the_same():
    writes, of = writer(), full_edition()
    assert octets(NoWhole(writes, of).message(of, ())) == whole(writes, of, ())


def test_text_that_is_shorter_in_base64_is_in_base64():
    of = hebrew_edition()
    many = tuple(
        replace(one, paper=replace(one.paper, abstract=of.entries[0].paper.abstract * 9)) for one in of.entries
    )
    of = edition((section(many, "יעילות"),))
    writes = writer()
    made = octets(NoWhole(writes, of, "he").message(of, of.sections))
    assert made == whole(writes, of, of.sections, "he")
    assert b"Content-Transfer-Encoding: base64" in made


TEXTS = st.text(
    st.characters(codec="utf-8")
    | st.sampled_from("<>&\"'=.{}% \n\r\t\0\u2028\ufdd2\ufdd4|-—“é")
    | st.sampled_from(["F", "r", "o", "m"]),
    max_size=200,
) | st.sampled_from(
    ["<!--|-->", "<!--hole-->", "<!--cut-->", "]]>", "<mj-raw>", "From me", ".", "1", "11", "2" * 90, " ", "=\n"]
)


@given(
    titles=st.lists(TEXTS, min_size=1, max_size=5),
    abstract=TEXTS,
    reason=TEXTS,
    topic=TEXTS,
    layout=st.sampled_from(list(Layout)),
)
@settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
def test_no_text_makes_a_difference(titles, abstract, reason, topic, layout):
    match = TopicMatch(topic=topic, strength=1.0, keywords=(reason,))
    entries = tuple(
        entry(rank, title, abstract=abstract, organization=reason, authors=(abstract, title), match=match)
        for rank, title in enumerate(titles, start=1)
    )
    of = edition((section(entries, topic, more=2),), title=reason)
    reasons = tuple(PickReason(kind=PickKind.LIKED, title=one) for one in [reason, *titles][: len(entries)])
    picks = PersonalSection(topic=None, entries=entries, reasons=reasons, positions=tuple(range(1, len(entries) + 1)))
    writes = writer(Appearance(layout=layout))
    messages = NoWhole(writes, of)
    for sections in (
        of.sections,
        (picks,),
        with_picks(of.sections, replace(picks, entries=entries[:1], reasons=reasons[:1], positions=(1,)), 9),
    ):
        assert octets(messages.message(of, sections)) == whole(writes, of, sections)


def test_the_hostile_edition_is_assembled_in_each_layout():
    of = hostile_edition()
    for layout in Layout:
        writes = writer(Appearance(layout=layout, thumbnails=True))
        assert octets(NoWhole(writes, of).message(of, of.sections)) == whole(writes, of, of.sections)


@given(lines=st.lists(TEXTS.map(lambda text: text.replace("\0", "")), max_size=8))
@settings(deadline=None)
def test_joined_lines_are_what_the_joined_text_is_encoded_as(lines):
    texts = [f"{line}\n" for line in lines]
    parts = [encode_lines(text) for text in texts]
    joined, alone = (
        Joined([part.octets for part in parts], sum(part.spare for part in parts)).smaller(),
        smaller("".join(texts)),
    )
    for token in (b"x", b"y" * 200):
        assert b"".join((joined.start, *joined.rest(token))) == b"".join((alone.start, *alone.rest(token)))
    assert joined.encoding == alone.encoding


def test_signatures_of_assembled_messages_are_valid():
    rng = random.Random(5)
    rsa = Signer(domain="example.org", selector="r", pem=generate(Algorithm.RSA))
    of, writes = day(rng, 40, 25), writer(signers=(KEY, rsa))
    messages = NoWhole(writes, of)
    for _ in range(3):
        made = octets(messages.message(of, choice(rng, of)))
        assert verifies(made, {signer.record().name: signer.record().value for signer in (KEY, rsa)}) == [True, True]


class TestOwnTemplates:
    """Templates that cannot be divided are rendered as a whole."""

    def messages(self, directory: Path, name: str, old: str, new: str) -> tuple[MailWriter, Edition]:
        (directory / "email").mkdir()
        source = (Path(RENDERER.templates.directories[-1]) / "email" / name).read_text("utf-8")
        assert old in source
        (directory / "email" / name).write_text(source.replace(old, new), "utf-8")
        return writer(renderer=Renderer(directory)), day(random.Random(6), 30, 25)

    @pytest.mark.parametrize(
        ("name", "old", "new"),
        [
            ("edition.mjml", "{% block cards %}", "{% block cards %}{{ count }} "),
            ("edition.mjml", "{{ parts.lead_card(lead, sections) }}", "{{ lead.title }}"),
            ("edition.mjml", "{{ parts.lead_card(lead, sections) }}", "x"),
            ("edition.mjml", "{{ parts.preview(top, runners_up) }}", "{{ top.title }}"),
            ("edition.mjml", "loop.last, left_over, trending) }}", "loop.last, left_over, trending) }} x"),
            ("edition.txt", "{{ text_parts.body(", "{{ text_parts.heading(sections[0], true) }}{{ text_parts.body("),
            ("edition.txt", "{{ text_parts.body(", "x {{ text_parts.body("),
            ("parts.jinja", "{{ number }}</td>{{ line }}", "{{ number + 1 }}</td>{{ line }}"),
            ("parts.jinja", "{{ number }}</td>{{ line }}", "{{ number }}</td>"),
            ("parts.jinja", "{{ papers(rows) }}", "{{ papers(rows) }}<p>{{ section.rows | length }}</p>"),
            ("parts.jinja", '<tr valign="top">{{ line }}', '<tr valign="top">'),
            ("parts.txt", "{{ title -}}", "{{ row.number }} {{ title -}}"),
            ("parts.txt", "{{ reasons -}}\n{% for", "{% for"),
            ("subject.txt", "{% if top and", "{{ runners_up | length }} {% if top and"),
            ("subject.txt", "{% if top and", "{{ top.number if top }} {% if top and"),
            ("parts.jinja", '<p class="s">', '<p class="s">{% if row.rank == 99 %}last{% endif %}'),
            ("parts.jinja", '<p class="s">', '<p class="s">{% if row.bar > 10_000 %}many{% endif %}'),
            ("parts.jinja", "letter-spacing:.08em", "{% if section.rows | length > 99 %}color:red{% endif %}"),
            ("parts.jinja", "{% if left_over and last %}", "{% if last == 9 %}x{% endif %}{% if left_over and last %}"),
            ("parts.txt", "{{ title -}}", "{{ 'x' if row.number > 99 }}{{ title -}}"),
        ],
    )  # fmt: skip
    def test_emails_are_right_and_the_log_says_once_that_it_takes_longer(self, tmp_path, caplog, name, old, new):
        writes, of = self.messages(tmp_path, name, old, new)
        rng = random.Random(7)
        with caplog.at_level(logging.WARNING):
            messages = writes.edition_messages(of, None, few=0)
            for _ in range(4):
                sections = choice(rng, of)
                assert octets(messages.message(of, sections)) == whole(writes, of, sections)
        (warning,) = [record for record in caplog.records if "rendered as a whole" in record.getMessage()]
        assert warning.levelname == "WARNING"

    @pytest.mark.parametrize(
        ("name", "old", "new"),
        [
            ("edition.mjml", "{% block cards %}", "{% block cards %}<mj-raw><p>Hello</p></mj-raw>"),
            ("parts.jinja", '<p class="s">', '<p class="s">→ '),
            ("parts.jinja", "{{ number }}</td>", "№ {{ number }}</td>"),
            ("parts.txt", "   {{ phrases.label(link) }}", "   * {{ phrases.label(link) }}"),
            ("subject.txt", "{% if top and", "{{ count }}: {% if top and"),
            ("parts.jinja", "(section, alone) }}</h2>", "(section, alone) }} +{{ section.more }}</h2>"),
            ("parts.txt", "(section, alone) | fill }}", "(section, alone) }} +{{ section.more }}"),
        ],
    )  # fmt: skip
    def test_other_changes_are_assembled(self, tmp_path, name, old, new):
        writes, of = self.messages(tmp_path, name, old, new)
        rng = random.Random(8)
        messages = NoWhole(writes, of)
        for _ in range(3):
            sections = choice(rng, of)
            assert octets(messages.message(of, sections)) == whole(writes, of, sections)

    @pytest.mark.parametrize(
        ("name", "old", "new", "why"),
        [
            ("edition.mjml", "{% block cards %}", "{% block cards %}{{ count }} ", "line 13: `count` differs"),
            ("edition.mjml", "loop.last, left_over, trending) }}", "loop.last, left_over, trending) }} x", "add up"),
            ("parts.jinja", "{{ papers(rows) }}", "{{ papers(rows) }}<p>x</p>", "change the macros that it calls"),
            ("parts.txt", "{{ reasons -}}\n{% for", "{% for", "the macro paper of email/parts.txt has 1 places"),
            ("parts.jinja", '<p class="s">', '<p class="s">→ ', None),
        ],
    )  # fmt: skip
    def test_checking_says_before_sending_what_the_log_would_say_then(self, tmp_path, caplog, name, old, new, why):
        writes, of = self.messages(tmp_path, name, old, new)
        messages = writes.edition_messages(of, None, few=0)
        for _ in range(3):
            messages.message(of, choice(random.Random(7), of))
        logged = [record.args[0] for record in caplog.records if record.name == "digestmail.mail"]
        assert list(assembly_obstacles(writes.renderer)) == logged
        assert [why in reason for reason in logged] == ([True] if why else [])


def test_the_first_emails_and_then_one_of_each_arrangement_are_rendered_as_a_whole():
    rng = random.Random(9)
    of, writes = day(rng, 40, 25), writer()
    rendered = []
    messages = EditionMessages(
        lambda: writes._assembly(of, None),
        lambda edition, sections: rendered.append(sections) or writes._whole_message(edition, sections, language=None),
        few=5,
    )
    picks = [choice(rng, of) for _ in range(30)]
    assembly = writes._assembly(of, None)
    shapes = {assembly.message(of, sections)[1] for sections in picks[5:]}
    for sections in picks:
        messages.message(of, sections)
    assert rendered[:5] == picks[:5]
    assert len(rendered) == 5 + len(shapes) < 25
