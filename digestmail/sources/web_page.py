"""What a server sent instead of a feed: a challenge that only browsers pass, or any other web page."""

from __future__ import annotations

import re
from html import unescape

from digestmail.sources.encoding import decode
from digestmail.sources.page_links import feeds_of_page
from digestmail.sources.parsed import single_line
from digestmail.sources.plaintext import plain_text
from digestmail.text.credentials import masked_address

ADVICE = "ask the site to let digestmail read the feed, or use another address"
_SEARCHED = 200_000
_PAGE = re.compile(
    r"\s*+(?:<!--(?:[^-]|-(?!->))*+-->\s*+)*+<(?:!doctype\s++html|html|head|body|script|meta|title)[\s>/]",
    re.IGNORECASE,
)
_HTML = re.compile(r"<!doctype\s+html|<html[\s>]|<head[\s>]", re.IGNORECASE)
_HTML_WITHIN = 2000
_TITLE = re.compile(r"<title[^<>]{0,200}+>([^<]{1,300}+)", re.IGNORECASE)
# What the pages of these services contain, in lower case.
_CHALLENGES = (
    ("Cloudflare", ("challenges.cloudflare.com", "/cdn-cgi/challenge-platform", "_cf_chl_opt",
                    "cf-browser-verification", "<title>just a moment...", "attention required! | cloudflare")),
    ("Anubis", ("/.within.website/", "anubis_challenge", "making sure you're not a bot")),
    ("go-away", ("/go-away/", "checking you are not a bot")),
    ("DDoS-Guard", ("ddos-guard",)),
    ("Sucuri", ("sucuri_cloudproxy", "sucuri website firewall")),
    ("Imperva", ("_incapsula_resource", "incapsula incident id")),
    ("Akamai", ("bm-verify=", "/_sec/cp_challenge/", "errors.edgesuite.net")),
    ("DataDome", ("captcha-delivery.com", "datadome.co")),
    ("HUMAN", ("px-captcha", "_pxappid")),
    ("AWS WAF", ("awswafintegration", "token.awswaf.com", "awswafcookiedomainlist")),
    ("Vercel", ("vercel security checkpoint",)),
    ("Radware", ("radware bot manager", "validate.perfdrive.com")),
    ("Kasada", ("/ips.js?kpsdk", "kpsdk-")),
)  # fmt: skip
_CHALLENGING = re.compile(
    r"g-recaptcha|hcaptcha\.com|cf-turnstile|"
    r"(?:verify|confirm|prov\w{1,3}|mak\w{1,3} sure|check\w{0,3}) (?:that )?you(?:'re| are) "
    r"(?:a )?(?:human|not (?:a )?(?:ro)?bot)|"
    r"are you a (?:ro)?bot|checking your (?:browser|connection)|enable javascript and cookies to continue|"
    r"unusual traffic from your|proof[- ]of[- ]work"
)


def challenge_in(page: str) -> str | None:
    """Return a sentence if a web page is a challenge, which asks its visitor to prove to be a browser; else None."""
    text = unescape(page[:_SEARCHED]).casefold().replace("\u2019", "'")
    service = next((name for name, signs in _CHALLENGES if any(sign in text for sign in signs)), None)
    if service is None and not _CHALLENGING.search(text):
        return None
    return challenge_of_service(service)


def challenge_of_service(name: str | None) -> str:
    """Return what to say of a challenge page of the service `name`, or of one that is not known."""
    whose = f"a challenge page of {name}" if name else "a challenge page"
    return (
        f"{whose}, which only a browser can pass; ask the site to let digestmail read the feed, or use another address"
    )


def web_page(body: bytes, content_type: str = "") -> str | None:
    """Return the text of a web page, or None if `body` is none. `content_type` is the HTTP header."""
    text = decode(body, content_type).lstrip("\ufeff \t\r\n")
    called_page = "html" in content_type.lower() and _HTML.search(text, 0, _HTML_WITHIN)
    return text if called_page or _PAGE.match(text) else None


def instead_of_a_feed(body: bytes, content_type: str = "", url: str = "") -> str | None:
    """Return a sentence about the web page that was found at `url`; None if `body` is no web page."""
    page = web_page(body, content_type)
    if page is None:
        return None
    challenge = challenge_in(page)
    if challenge:
        return f"the server sent {challenge}"
    found = _TITLE.search(page, 0, _SEARCHED)
    title = single_line(plain_text(found[1]))[:80] if found else ""
    described = f"the web page {title!r}" if title else "a web page"
    feeds = feeds_of_page(page, url)
    named = f"; the page names a feed: {masked_address(feeds[0].url)}" if feeds else ""
    return f"the server sent {described}, not a feed{named}"
