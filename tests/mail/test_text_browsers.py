"""The first line of an email in w3m and lynx, which text mail programs use and which show the preheader."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from editions import edition, entry, full_edition, section

from digestmail.mail.render import Renderer, page
from digestmail.model.deliveries import NoticeKind

RENDERER = Renderer()
SENTENCE = "We look at how a model decides which of its layers a question needs, and skip the others."
BROWSERS = {
    "w3m": ("-dump", "-cols", "400", "-I", "UTF-8", "-O", "UTF-8", "-T", "text/html"),
    "lynx": ("-dump", "-nolist", "-width=400", "-assume_charset=utf-8", "-display_charset=utf-8", "-force_html"),
}


def first_line(program: str, html: str, directory: Path) -> str:
    """Return the first line that a text browser shows."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not on this machine: the email was not read in it")
    (directory / "mail.html").write_text(html, "utf-8")
    command = [program, *BROWSERS[program], str(directory / "mail.html")]
    shown = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout.decode("utf-8")
    return next(line.strip() for line in shown.splitlines() if line.strip())


def edition_of(*titles: str, **fields):
    of = edition((section([entry(n, title, **fields) for n, title in enumerate(titles, start=1)]),))
    return page(RENDERER.render(of, of.sections))


@pytest.mark.parametrize("program", BROWSERS)
def test_an_edition_begins_with_a_sentence_about_its_papers(program, tmp_path):
    of = full_edition()
    html = page(RENDERER.render(of, of.sections, base_url="https://digest.example.org"))

    assert first_line(program, html, tmp_path) == (
        "Also in this edition: “A Cache That Forgets on Purpose” and "
        "“Do Models Read the Compiler's <think> Output? An Honest Look”."
    )


@pytest.mark.parametrize("program", BROWSERS)
@pytest.mark.parametrize(
    ("titles", "abstract", "line"),
    [
        (("One", "Two"), "A text.", "Also in this edition: “Two”."),
        (("One",), f"{SENTENCE} And then {SENTENCE} {SENTENCE}", SENTENCE),
        (("One",), "", "Ada Example"),
        ((), "", "The next edition will arrive as usual."),
    ],
)
def test_a_small_edition_does_too(program, tmp_path, titles, abstract, line):
    html = edition_of(*titles, abstract=abstract, authors=("Ada Example",))

    assert first_line(program, html, tmp_path) == line


@pytest.mark.parametrize("program", BROWSERS)
def test_a_confirmation_begins_with_what_it_is_about(program, tmp_path):
    html = RENDERER.notice(NoticeKind.CONFIRM, title="Trending papers", action_url="https://example.org/confirm").html

    assert first_line(program, html, tmp_path).startswith("Someone, probably you, asked us to send this newsletter")
