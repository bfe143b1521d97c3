"""No message reaches 100,000 bytes, headers and signatures included, and no paper is lost on the way down."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from editions import ABSTRACT, SENDER, SIX, Arranged, edition, entry, full_edition, section
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from message_rules import broken_rules, part, visible

from digestmail.errors import RenderError
from digestmail.mail.dkim import Algorithm, Signer, generate
from digestmail.mail.encoding import LARGEST_MESSAGE
from digestmail.mail.message import MessageTemplate
from digestmail.mail.message_headers import Sender
from digestmail.mail.render import Renderer
from digestmail.mail.tokens import Tokens
from digestmail.model.deliveries import Rendered
from digestmail.model.papers import Signals
from digestmail.model.selection import TopicMatch
from digestmail.model.theme import Appearance, Layout

RENDERER = Renderer()
BASE_URL = "https://digest.example.org"
SIGNERS = (
    Signer(domain="example.org", selector="two", pem=generate(Algorithm.ED25519)),
    Signer(domain="example.org", selector="one", pem=generate(Algorithm.RSA, bits=4096)),
)
TOKENS = Tokens("secret")
SENTENCES = {
    "english": ABSTRACT,
    "hebrew": "מודל קטן לומד אילו משכבותיו נחוצות לשאלה ומדלג על השאר. כך נחסך מחצית הזמן בכרטיס אחד. ",
    "chinese": "注意力机制的一个简单变体。它在八个任务上更快。",
    "emoji": "\U0001f600\U0001f680 ",
    "markup": "<think> & \"quotes\" 'more' </td></table> {{ x }}. ",
    "unbroken": "x" * 90,
    "equals": "= = =20 =\u00a0. ",
    "dots": "\n.\nFrom here. ",
}
COUNTED = {
    "en": r"(\d+) more (?:papers? in other topics|papers?\b|in this topic)",
    "de": r"(\d+) weitere",
    "fr": r"(\d+) autres?",
    "he": r"עוד (?:(\d+)|מאמר)",
}


def message_template(rendered: Rendered, sender: Sender = SENDER, title: str = "Trending papers") -> MessageTemplate:
    return MessageTemplate(rendered, sender, digest="daily", title=title, signers=SIGNERS)


def cast(made: MessageTemplate, recipient: str = "reader@example.net", subscriber: int = 2**40) -> bytes:
    return made.personalize(
        recipient=recipient,
        message_id=TOKENS.message_id("daily", "2026-04-02", subscriber, "digest.example.org"),
        date=SIX,
        unsubscribe_token=TOKENS.unsubscribe(subscriber, "daily"),
    )


def week(count: int, words: str, *, topics: int = 3, length: int = 1500) -> Arranged:
    """Make an edition of `count` papers whose texts all repeat `words`."""
    text = words * (length // len(words) + 1)
    papers = [
        entry(
            n,
            f"Paper {n}: {text}"[:280],
            abstract=text[:length],
            summary=text[: length // 2],
            authors=(text[:70],) * 4,
            organization=text[:70],
            discussion_url=f"https://huggingface.co/papers/2604.{n:05d}",
            code_url=f"https://github.com/example/{n}",
            project_url=f"https://example.org/{n}",
            thumbnail_url=f"https://pictures.example.org/{n}.png",
            signals=Signals(upvotes=count - n, comments=n, stars=10 * n),
            match=TopicMatch(topic="t", strength=1.0, keywords=(text[:60],)),
        )
        for n in range(1, count + 1)
    ]
    return edition([section(papers[at::topics], f"Topic {at}") for at in range(topics)])


def in_sections(rendered: Rendered) -> tuple[set[int], set[int]]:
    """Return which papers the HTML and the text part show in their sections."""
    html = {int(n) for n in re.findall(r"<h[23][^>]*>(?:<a[^>]*>|<span[^>]*>)Paper (\d+):", rendered.html)}
    return html, {int(n) for n in re.findall(r"(?m)^\d+\. Paper (\d+):", rendered.text)}


@settings(deadline=None, max_examples=8, phases=[Phase.generate])  # a smaller week is no easier to read
@given(
    st.sampled_from(sorted(SENTENCES)),
    st.integers(40, 60),
    st.sampled_from(Layout),
    st.sampled_from(["en", "de", "fr", "he"]),
    st.integers(200, 6000),
)
def test_a_week_of_any_texts_fits_in_every_layout_and_language(
    words: str, count: int, layout: Layout, language: str, length: int
):
    of = week(count, SENTENCES[words], length=length)
    look = Appearance(layout=layout, thumbnails=True)

    rendered = RENDERER.render(of, of.sections, base_url=BASE_URL, language=language, look=look)

    raw = cast(message_template(rendered))
    assert len(raw) < LARGEST_MESSAGE
    assert broken_rules(raw) == []
    in_html, in_text = in_sections(rendered)
    assert in_html == in_text
    assert in_html == set(range(1, len(in_html) + 1)), "the highest-ranked stay"
    if len(in_html) < count:
        for text in (visible(part(raw, "html")), part(raw, "plain")):
            assert sum(int(number or 1) for number in re.findall(COUNTED[language], text)) >= count - len(in_html)


def test_a_week_of_forty_usual_papers_keeps_every_paper_in_both_parts():
    of = week(40, ABSTRACT)

    rendered = RENDERER.render(of, of.sections, base_url=BASE_URL, look=Appearance(thumbnails=True))

    assert in_sections(rendered) == (set(range(1, 41)), set(range(1, 41)))
    assert 0 < rendered.shortened <= 40


@pytest.mark.parametrize("count", [60, 400, 1000])
def test_an_edition_of_any_size_is_rendered_a_few_times(count):
    of = week(count, ABSTRACT)
    measured = []

    def measure(mail: Rendered) -> int:
        measured.append(len(mail.html) + len(mail.text))
        return measured[-1]

    rendered = RENDERER.render(of, of.sections, base_url=BASE_URL, measure=measure)

    assert len(rendered.html) + len(rendered.text) < LARGEST_MESSAGE
    assert len(measured) <= 10, "halving would take 12 for a thousand papers"


def shortened_alike(count: int) -> set[tuple[int, ...]]:
    """Check that both parts say the same of each of `count` papers; return how often each of the words occurs."""
    papers = [
        entry(n, f"Paper {n}: A title", abstract="One short sentence. " * 40, summary=("One point.", None)[n % 2])
        for n in range(1, count + 1)
    ]
    of = edition([section(papers[at::3], f"Topic {at}") for at in range(3)])
    rendered = RENDERER.render(of, of.sections, base_url=BASE_URL)

    in_text = dict(re.findall(r"(?ms)^\d+\. Paper (\d+):(.*?)(?=^\d+\. Paper|^=====|\Z)", rendered.text))
    rows = re.findall(r">Paper (\d+):.*?</h[23]>(.*?)(?:</td></tr>|</div>)", rendered.html, re.DOTALL)
    assert len(rows) == len(in_text) == count
    kinds = set()
    for number, row in rows:
        said = " ".join(in_text[number].split())
        words = ("One point.", "AI summary", "One short sentence.", "/pdf/", "#cite")
        assert [row.count(each) for each in words] == [said.count(each) for each in words], number
        kinds.add(tuple(row.count(each) for each in words))
    return kinds


def test_both_parts_shorten_the_same_papers():
    uncut, with_point = (0, 0, 26, 1, 1), (1, 1, 25, 1, 1)
    assert shortened_alike(25) == {uncut, with_point}
    assert shortened_alike(32) >= {(0, 0, 26, 1, 0), (1, 1, 25, 1, 0)}, "no citations"
    assert shortened_alike(45) >= {(0, 0, 12, 0, 0), (1, 1, 0, 0, 0)}, "short"
    assert shortened_alike(70) >= {(0, 0, 12, 0, 0), (1, 1, 0, 0, 0), (0, 0, 0, 0, 0)}, "headlines"


@pytest.mark.parametrize("signers", [(), SIGNERS])
@pytest.mark.parametrize("recipient", ["r@example.net", "r" * 64 + "@" + "d" * 60 + "." + "d" * 60 + ".example.net"])
def test_the_measured_size_is_reached_by_no_message(signers, recipient):
    rendered = RENDERER.render(full_edition(), full_edition().sections, base_url=BASE_URL)
    made = MessageTemplate(rendered, SENDER, digest="daily", title="Trending papers", signers=signers)

    for subscriber in (1, 2**40):
        assert made.max_octets() - 2_000 < len(cast(made, recipient, subscriber)) <= made.max_octets()


def test_a_sender_with_long_names_and_addresses_leaves_less_room_for_papers():
    of = week(60, ABSTRACT)
    sender = replace(
        SENDER, mailbox=f'"{"Ü" * 2000}" <digest@example.org>', base_url="https://example.org/" + "x" * 150
    )

    def measure(mail: Rendered) -> int:
        return message_template(mail, sender, title="Ü" * 2000).max_octets()

    plain = RENDERER.render(
        of, of.sections, base_url=BASE_URL, measure=lambda mail: message_template(mail).max_octets()
    )
    long = RENDERER.render(of, of.sections, base_url=sender.base_url, measure=measure)

    assert len(cast(message_template(plain))) < LARGEST_MESSAGE
    assert len(cast(message_template(long, sender, "Ü" * 2000))) < LARGEST_MESSAGE
    assert len(long.html) + len(long.text) < len(plain.html) + len(plain.text)


def own(directory: Path, name: str, old: str, new: str) -> Renderer:
    """Return a renderer with a template of the operator's."""
    (directory / "email").mkdir(exist_ok=True)
    source = (Path(RENDERER.templates.directories[-1]) / "email" / name).read_text("utf-8")
    assert old in source
    (directory / "email" / name).write_text(source.replace(old, new), "utf-8")
    return Renderer(directory)


@pytest.mark.parametrize(
    ("name", "old"), [("edition.mjml", "{% block cards %}"), ("edition.txt", "{{ day | long_day }}\n")]
)
def test_a_larger_template_of_an_operator_leaves_less_room_for_papers(tmp_path: Path, name: str, old: str):
    of = week(40, ABSTRACT)
    filler = "Words of the house, on many lines.\n" * 1000
    if name.endswith("mjml"):
        filler = f"<mj-section><mj-column><mj-text>{filler}</mj-text></mj-column></mj-section>"

    rendered = own(tmp_path, name, old, old + filler).render(of, of.sections, base_url=BASE_URL)

    assert len(cast(message_template(rendered))) < LARGEST_MESSAGE
    assert in_sections(rendered)[0] == in_sections(rendered)[1] != set()


def test_a_text_template_that_is_too_large_on_its_own_is_refused_with_its_size(tmp_path: Path):
    old = "{{ day | long_day }}\n"
    renderer = own(tmp_path, "edition.txt", old, old + "x\n" * 60_000)

    with pytest.raises(RenderError, match=r"the email is too large: [\d,]+ of 100,000"):
        renderer.render(full_edition(), full_edition().sections)
