"""A template is compiled once a process, for each language and for each version of its file."""

from __future__ import annotations

from pathlib import Path

import jinja2
import pytest

from digestmail.mail.templates import Templates

NAME = "email/own.txt"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Return the operator's directory with one template."""
    (tmp_path / "email").mkdir()
    (tmp_path / NAME).write_text("{{ word }}, {{ 1600 | compact }}", "utf-8")
    return tmp_path


def test_a_second_environment_compiles_nothing_again(own: Path, monkeypatch: pytest.MonkeyPatch):
    first = Templates(own).render(NAME, {"word": "one"}, language="en")
    monkeypatch.setattr(jinja2.Environment, "compile", lambda *_: pytest.fail("it is compiled again"))

    assert first == "one, 1.6K"
    assert Templates(own).render(NAME, {"word": "two"}, language="en") == "two, 1.6K"


def test_a_filter_of_a_constant_is_in_the_language_of_the_mail(own: Path):
    rendered = {language: Templates(own).render(NAME, {"word": ""}, language=language) for language in ("en", "fr")}

    assert rendered["en"] != rendered["fr"]


def test_a_file_that_changed_is_compiled_again(own: Path):
    Templates(own).render(NAME, {"word": "one"}, language="en")
    (own / NAME).write_text("now {{ word }}", "utf-8")

    assert Templates(own).render(NAME, {"word": "one"}, language="en") == "now one"


def test_the_same_name_in_another_directory_is_another_template(own: Path, tmp_path_factory: pytest.TempPathFactory):
    other = tmp_path_factory.mktemp("other")
    (other / "email").mkdir()
    (other / NAME).write_text("other {{ word }}", "utf-8")

    assert Templates(own).render(NAME, {"word": "one"}, language="en") == "one, 1.6K"
    assert Templates(other).render(NAME, {"word": "one"}, language="en") == "other one"
