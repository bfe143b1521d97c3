from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from messages import messages

from digestmail.errors import RenderError
from digestmail.mail.i18n import compact_number, date_formats, direction, own_name, translations
from digestmail.mail.template_files import languages, template_directories, templates_directory

HOUSE = template_directories(None)
CATALOGUES = sorted((templates_directory() / "locales").glob("*.po"))
DAY = date(2026, 4, 2)


def catalogue(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, abort_invalid=True)


def placeholders(text: str) -> set[str]:
    return set(re.findall(r"%\((\w+)\)s", text))


def test_there_are_english_and_three_more():
    assert languages(HOUSE) == ("de", "en", "fr", "he")


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)
def test_a_catalogue_has_every_message_of_the_templates_and_pages_and_no_other(path: Path):
    known = {message.id for message in catalogue(path) if message.id}

    assert known == messages()


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)
def test_every_message_is_translated_with_the_same_placeholders(path: Path):
    for message in catalogue(path):
        if not message.id:
            continue
        originals = [message.id] if isinstance(message.id, str) else message.id
        texts = [message.string] if isinstance(message.string, str) else message.string
        wanted = set().union(*map(placeholders, originals))
        for text in texts:
            assert text, f"{originals[0]!r} is not translated"
            assert placeholders(text) == wanted, originals[0]
            assert not re.search(r"%(?!\(\w+\)s)", text), f"{originals[0]!r}: a lone per cent sign"
            assert not re.search(r"[\"<>&]", text), f"{originals[0]!r}: a character that HTML reserves"


@pytest.mark.parametrize(
    ("language", "one", "none", "many"),
    [
        ("en", "1 paper", "0 papers", "2 papers"),
        ("fr", "1 article", "0 article", "2 articles"),
        ("de", "1 Paper", "0 Paper", "2 Paper"),
    ],
)
def test_plurals_follow_the_language(language: str, one: str, none: str, many: str):
    said_ = translations(language, HOUSE)

    for number, text in ((1, one), (0, none), (2, many)):
        assert said_.ngettext("%(n)s paper", "%(n)s papers", number) % {"n": number} == text


def test_dates_and_numbers_are_written_as_the_language_writes_them():
    shown = {language: date_formats(language)["long_day"](DAY) for language in languages(HOUSE)}
    assert shown == {
        "en": "Thursday, 2 April 2026",
        "de": "Donnerstag, 2. April 2026",
        "fr": "jeudi 2 avril 2026",
        "he": "יום חמישי, 2 באפריל 2026",
    }
    assert date_formats("de")["short_day"](DAY) == "2. April"
    assert compact_number("en")(1640) == "1.6K"
    assert compact_number("fr")(1640) == "1,6\xa0k"
    assert compact_number("de")(999) == "999"


@pytest.mark.parametrize(("language", "way"), [("en", "ltr"), ("de-AT", "ltr"), ("he", "rtl"), ("ar", "rtl")])
def test_the_direction_follows_the_language(language: str, way: str):
    assert direction(language) == way


def test_a_regional_variant_reads_its_language_and_an_unknown_one_is_an_error():
    assert translations("de-AT", HOUSE).gettext("Unsubscribe") == "Abbestellen"
    assert translations("en-US", HOUSE).gettext("Unsubscribe") == "Unsubscribe"
    with pytest.raises(RenderError, match="there is no catalogue for 'es'; available languages: de, en, fr, he"):
        translations("es", HOUSE)
    with pytest.raises(RenderError, match="no language 'xx-yy-zz'"):
        direction("xx-yy-zz")


def test_an_operators_catalog_takes_precedence_and_can_add_a_language(tmp_path: Path):
    (tmp_path / "locales").mkdir()
    (tmp_path / "locales" / "de.po").write_text('msgid "Unsubscribe"\nmsgstr "Nie wieder"\n')
    (tmp_path / "locales" / "es.po").write_text('msgid "Unsubscribe"\nmsgstr "Darse de baja"\n')
    both = template_directories(tmp_path)

    assert languages(both) == ("de", "en", "es", "fr", "he")
    assert translations("de", both).gettext("Unsubscribe") == "Nie wieder"
    assert translations("es", both).gettext("Unsubscribe") == "Darse de baja"


def test_a_broken_catalogue_is_named(tmp_path: Path):
    (tmp_path / "locales").mkdir()
    (tmp_path / "locales" / "es.po").write_text("this is no catalogue\n")

    with pytest.raises(RenderError, match=r"locales/es\.po cannot be read"):
        translations("es", template_directories(tmp_path))


@pytest.mark.parametrize(
    ("language", "name"),
    [
        ("en", "English"),
        ("en_GB", "English (United Kingdom)"),
        ("pt-BR", "Português (Brasil)"),
        ("de", "Deutsch"),
        ("he", "עברית"),
    ],
)
def test_the_list_of_languages_writes_each_name_as_it_is_written(language, name):
    assert own_name(language) == name
