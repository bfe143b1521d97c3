"""The page of a backtest in a browser: readable in both colour schemes and on a phone, and it loads nothing."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from browser import axe
from playwright.sync_api import Browser

from digestmail.cli.backtest_page import render
from digestmail.editions.backtest import Backtest
from digestmail.editions.comparison import ComparedPaper, DigestComparison, SlotComparison, TopicCount

TOPICS = (TopicCount(topic="Caches", old=1, new=1), TopicCount(topic=None, old=1, new=0))
LONG = "Averyverylongwordwithoutanyplacetobreakinsideofitwhichsomeauthorsreallyuse" * 2


def compared(number: int, **fields) -> ComparedPaper:
    defaults = {
        "paper_id": f"arxiv:2604.{number:05d}",
        "title": f"A cache that forgets {number}",
        "link": f"https://arxiv.org/abs/2604.{number:05d}",
    }
    return ComparedPaper(**(defaults | fields))


PAGE = render(
    Backtest(
        since=datetime(2026, 4, 1, tzinfo=UTC),
        until=datetime(2026, 4, 3, tzinfo=UTC),
        digests=(
            DigestComparison(
                digest="daily",
                old_editions=1,
                new_editions=1,
                both=1,
                only_old=1,
                only_new=1,
                topics=TOPICS,
                slots=(
                    SlotComparison(
                        slot="2026-04-02",
                        day=date(2026, 4, 2),
                        both=(compared(1, old_topic="Caches", new_topic=None),),
                        only_old=(compared(2, title=LONG, other_slot="2026-04-03"),),
                        only_new=(compared(3, link="javascript:alert(1)"),),
                        topics=TOPICS,
                    ),
                ),
            ),
        ),
        only_old=("old",),
        only_new=("new",),
        notes=("the first paper of the source hf was seen 2026-04-01",),
    ),
    "new.toml",
)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_accessible(browser: Browser, scheme):
    page = browser.new_page(color_scheme=scheme, bypass_csp=True)
    page.set_content(PAGE)
    page.locator("summary").click()
    assert page.locator("li a").count() == 2
    assert axe(page) == []
    page.close()


def test_the_page_fits_a_phone_and_loads_nothing(browser: Browser):
    page = browser.new_page(viewport={"width": 320, "height": 700})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.set_content(PAGE)
    page.locator("summary").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    assert [address for address in asked if not address.startswith("data:")] == []
    page.close()
