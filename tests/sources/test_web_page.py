"""Pages that come instead of a feed, and what the operator reads about them."""

from __future__ import annotations

import time

import pytest

from digestmail.sources.web_page import challenge_in, instead_of_a_feed


@pytest.mark.parametrize(
    ("page", "service"),
    [
        ("<html><head><title>Just a moment...</title></head><body>Wait</body></html>", "Cloudflare"),
        ("<!DOCTYPE html><html><script src='/cdn-cgi/challenge-platform/h/b/x.js'></script>", "Cloudflare"),
        ("<html><title>Making sure you&#39;re not a bot!</title></html>", "Anubis"),
        ("<html><link rel=stylesheet href='/.within.website/x/xess/xess.css'></html>", "Anubis"),
        ("<html><body>DDoS-Guard checks you</body></html>", "DDoS-Guard"),
        ("<html><script>var sucuri_cloudproxy_js='';</script></html>", "Sucuri"),
        ("<html><iframe src='/_Incapsula_Resource?x=1'></iframe></html>", "Imperva"),
        ("<html><script src='https://ct.captcha-delivery.com/c.js'></script></html>", "DataDome"),
        ("<html><title>Vercel Security Checkpoint</title></html>", "Vercel"),
    ],
)
def test_the_challenge_pages_of_known_services_are_named(page, service):
    message = instead_of_a_feed(page.encode())
    assert message is not None
    assert f"challenge page of {service}" in message
    assert "ask the site" in message


@pytest.mark.parametrize(
    "text",
    [
        "Checking your browser before you go on",
        "Please enable JavaScript and cookies to continue",
        "Verify you\u2019re human",
        "We are making sure that you are not a robot",
        "Our systems have seen unusual traffic from your network",
        "<div class='g-recaptcha'></div>",
        "Solving a proof-of-work",
    ],
)
def test_other_challenge_pages_are_known_by_their_words(text):
    assert "challenge page" in (challenge_in(f"<html><body>{text}</body></html>") or "")


@pytest.mark.parametrize(
    "page", ["<html><body>Down for maintenance</body></html>", "<html>blocked</html>", "<html>A human and a bot</html>"]
)
def test_any_other_page_is_a_page(page):
    assert challenge_in(page) is None
    assert (instead_of_a_feed(page.encode()) or "").startswith("the server sent a web page")


@pytest.mark.parametrize(
    "start", ["", "\ufeff\n", "<!-- hello -->\n", "<!DOCTYPE html>", "<!doctype html PUBLIC '-//W3C//DTD XHTML 1.0'>"]
)
def test_a_page_is_called_by_its_title_and_by_the_feed_it_names(start):
    page = f"""{start}<html><head><title>Routes &amp;
      roads</title>
      <link rel="alternate" type="application/atom+xml" title="Posts > all" href='/posts.atom'></head></html>"""
    message = instead_of_a_feed(page.encode(), url="https://lab.example/blog/")
    named = "https://lab.example/posts.atom"
    assert message == f"the server sent the web page 'Routes & roads', not a feed; the page names a feed: {named}"


@pytest.mark.parametrize("body", [b"", b"<rss/>", b"<?xml version='1.0'?><html/>", b"{}", b"Rate exceeded.", b"\xff"])
def test_what_is_no_page_is_none(body):
    assert instead_of_a_feed(body) is None


@pytest.mark.parametrize(
    "piece", ["<!-- -->", "<!--", "<link ", "<link '", '<link a=""', "<title>", " ", "checking ", "<"]
)
def test_hostile_pages_cost_linear_time(piece):
    page = f"<html>{piece * (3_000_000 // len(piece))}"
    began = time.process_time()
    instead_of_a_feed(page.encode())
    instead_of_a_feed((piece * (3_000_000 // len(piece))).encode())
    assert time.process_time() - began < 3
