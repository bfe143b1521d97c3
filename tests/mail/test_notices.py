"""Mails that belong to no edition: in the house's design, for one person, and on no list."""

from __future__ import annotations

from email import message_from_bytes, policy

import pytest
from editions import NONCE, SENDER, SIX, UNSUBSCRIBE_PLACEHOLDER
from message_rules import broken_rules, part, visible

from digestmail.mail.message import MessageTemplate
from digestmail.mail.render import Renderer
from digestmail.model.deliveries import NoticeKind, Rendered
from digestmail.model.differences import Changed

RENDERER = Renderer()
ACTION = "https://digest.example.org/confirm/abc.def"
OF_A_DIGEST = {Changed.ADDED, Changed.LEFT, Changed.TOPICS, Changed.HOUR}
PREFERENCES = "https://digest.example.org/preferences/abc.def"


def notice(kind: NoticeKind, **changed) -> Rendered:
    given = {"title": "Trending papers", "digests": ("Daily", "Weekly & more"), "action_url": ACTION}
    return RENDERER.notice(kind, **(given | {"preferences_url": PREFERENCES} | changed))


def cast(rendered: Rendered) -> bytes:
    message_template = MessageTemplate(rendered, SENDER, digest="notice", title="Trending papers", notice=True)
    return message_template.personalize(
        recipient="reader@example.net", message_id="<notice.1@digest.example.org>", date=SIX
    )


@pytest.mark.parametrize("language", ["en", "de", "fr", "he"])
@pytest.mark.parametrize("kind", NoticeKind)
def test_both_parts_contain_the_subject_and_the_link(kind, language):
    rendered = notice(kind, language=language)

    assert rendered.subject.startswith("Trending papers: ")
    assert "\n" not in rendered.subject
    for text in (visible(rendered.html), rendered.text):
        assert "Weekly & more" in text
    for url in (ACTION, PREFERENCES):
        assert f'href="{url}"' in rendered.html
        assert f"\n{url}\n" in rendered.text
    assert f'<html lang="{language}" dir="{"rtl" if language == "he" else "ltr"}"' in rendered.html
    assert all(len(line) <= 72 for line in rendered.text.splitlines() if "://" not in line)


@pytest.mark.parametrize("language", ["en", "he"])
@pytest.mark.parametrize("kind", NoticeKind)
def test_the_imprint_is_at_the_end_of_both_parts(kind, language):
    imprint = "Example <Labs> & Söhne, " + "A Long Street 1, " * 8 + "12345 City"
    rendered = Renderer(imprint=imprint).notice(kind, title="Papers", language=language, preferences_url=PREFERENCES)

    for text in (visible(rendered.html), rendered.text):
        assert imprint in " ".join(text.split())
    assert all(len(line) <= 72 for line in rendered.text.splitlines() if "://" not in line)
    assert broken_rules(cast(rendered), notice=True) == []


@pytest.mark.parametrize("language", ["en", "de", "fr", "he"])
def test_a_change_is_described_step_by_step(language):
    steps = tuple((what.value, "Weekly & more" if what in OF_A_DIGEST else "") for what in Changed)
    rendered = notice(NoticeKind.CHANGED, language=language, steps=steps)

    for text in (visible(rendered.html), rendered.text):
        assert text.count("Weekly & more") == len(OF_A_DIGEST)
    listed = [line for line in rendered.text.splitlines() if line.startswith("- ")]
    assert len(listed) == len(set(listed)) == len(Changed)


@pytest.mark.parametrize("kind", [NoticeKind.CHANGED, NoticeKind.GOODBYE])
def test_without_pages_a_reply_is_the_way_back(kind):
    rendered = notice(kind, action_url=None, preferences_url=None)

    assert "reply to this email" in rendered.text
    assert "30 days" in notice(kind).text


def test_a_notice_is_on_no_list_and_promises_no_one_click():
    raw = cast(notice(NoticeKind.CONFIRM))
    message = message_from_bytes(raw, policy=policy.default)

    assert message.defects == []
    assert not [name for name in message if name.lower().startswith("list-")]
    assert message["Feedback-ID"].startswith("notice:notice:digestmail:")
    assert [each.get_content_type() for each in message.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    assert ACTION in part(raw, "plain")
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 998


@pytest.mark.parametrize("language", ["en", "he"])
@pytest.mark.parametrize("kind", NoticeKind)
def test_a_notice_breaks_no_rule(kind, language):
    assert broken_rules(cast(notice(kind, language=language)), notice=True) == []


@pytest.mark.parametrize("header", [b"Auto-Submitted: auto-generated\r\n", b"Precedence: bulk\r\n"])
def test_a_notice_triggers_no_auto_replies(header):
    raw = cast(notice(NoticeKind.CONFIRM))

    assert header in raw
    rules = {rule.split(": ")[1] for rule in broken_rules(raw.replace(header, b""), notice=True)}
    assert rules == {"bulk", "headers-once"}


def test_without_links_none_is_promised():
    rendered = notice(NoticeKind.CONFIRM, action_url=None, preferences_url=None, digests=())

    assert "href" not in rendered.html.split("<body")[1]
    assert "://" not in rendered.text


def test_the_template_of_an_edition_needs_a_token():
    message_template = MessageTemplate(
        Rendered(subject="x", html=UNSUBSCRIBE_PLACEHOLDER, text="x", nonce=NONCE),
        SENDER,
        digest="daily",
        title="x",
    )
    with pytest.raises(ValueError, match="token is missing"):
        message_template.personalize(recipient="a@example.net", message_id="<x@y>", date=SIX)
