"""Languages: message catalogs, date and number formats, and the writing direction.

Templates are in English. Translations are in template directories (`template_files`).
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from datetime import date
from functools import lru_cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path
from typing import Final

from babel import Locale
from babel.core import UnknownLocaleError, get_global
from babel.dates import format_date, format_interval, format_skeleton
from babel.messages.mofile import write_mo
from babel.messages.pofile import PoFileError, read_po
from babel.numbers import format_compact_decimal

from digestmail.errors import RenderError
from digestmail.mail.template_files import SOURCE_LANGUAGE, languages

_WRITTEN_LIKE: Final = {"en": "en_GB"}
"""The day comes before the month, as in the English texts."""
_COMPACT_FROM: Final = 1000
_SCRIPT_CODE: Final = 4
"""The letters of a script subtag (RFC 5646 section 2.2.3)."""
_SEVERAL: Final = {"Hans": "HAN", "Hant": "HAN", "Jpan": "JAPANESE", "Kore": "KOREAN"}


def locale_of(language: str) -> Locale:
    """Return the CLDR locale of an IETF tag such as `de` or `pt-BR`. Raises RenderError."""
    try:
        return Locale.parse(_WRITTEN_LIKE.get(language, language).replace("-", "_"))
    except (ValueError, UnknownLocaleError) as error:
        raise RenderError(f"there is no language {language!r}") from error


def translations(language: str, directories: Sequence[Path]) -> NullTranslations:
    """Return the catalog of `language` from the first directory that has one. Raises RenderError.

    A regional variant without its own catalog uses the catalog of its language: `de-AT` reads `de.po`.
    """
    wanted = (language, language.partition("-")[0])
    for name in wanted:
        for directory in directories:
            path = directory / "locales" / f"{name}.po"
            if path.is_file():
                return _compiled(path, path.stat().st_mtime_ns)
    if SOURCE_LANGUAGE in wanted:
        return NullTranslations()
    raise RenderError(
        f"there is no catalogue for {language!r}; available languages: {', '.join(languages(directories))}"
    )


def english_name(language: str) -> str:
    """Return the English name of a language, such as `German`. Raises RenderError."""
    return _name(language, "en")


def own_name(language: str) -> str:
    """Return the name of a language in itself, with a capital letter, such as `Deutsch`. Raises RenderError."""
    name = _name(language, None)
    return name[:1].upper() + name[1:]


def _name(language: str, shown_in: str | None) -> str:
    """Return the name of a language, without the country whose dates it is written with if it names none."""
    locale = locale_of(language)
    name = locale.get_language_name(shown_in) if language in _WRITTEN_LIKE else locale.get_display_name(shown_in)
    return name or language


def script_of(language: str) -> str:
    """Return the script of a language by its name in Unicode, such as `LATIN`; `HAN`, `JAPANESE`, `KOREAN` are several.

    Raises RenderError.
    """
    locale = locale_of(language)
    likely = get_global("likely_subtags")
    full = likely.get(str(locale)) or likely.get(locale.language) or ""
    code = locale.script or next((part for part in full.split("_")[1:] if len(part) == _SCRIPT_CODE), "Latn")
    return _SEVERAL.get(code) or Locale("en").scripts.get(code, "Latin").upper()


def direction(language: str) -> str:
    """Return `ltr` or `rtl`."""
    return "rtl" if locale_of(language).text_direction == "rtl" else "ltr"


def date_formats(language: str) -> dict[str, Callable[[date], str]]:
    """Return the date formats of the language.

    `long_day` has the weekday, `date` the year, `medium_day` the year and a short month, `short_day` no year. `month`
    is the month and the year.
    """
    locale = locale_of(language)
    return {
        "long_day": lambda day: format_date(day, "full", locale=locale),
        "date": lambda day: format_date(day, "long", locale=locale),
        "short_day": lambda day: format_skeleton("MMMMd", day, locale=locale),
        "medium_day": lambda day: format_date(day, "medium", locale=locale),
        "month": lambda day: format_skeleton("yMMMM", day, locale=locale),
    }


def day_range(language: str) -> Callable[[date, date], str]:
    """Return a function that formats a range of days: 30 March – 5 April 2026."""
    locale = locale_of(language)
    return lambda first, last: format_interval(first, last, "yMMMMd", locale=locale)


def compact_number(language: str) -> Callable[[int], str]:
    """Return a function that formats a count briefly: 187, 1.6K."""
    locale = locale_of(language)

    @lru_cache(maxsize=4096)
    def compact(number: int) -> str:
        if number < _COMPACT_FROM:
            return str(number)
        return format_compact_decimal(number, locale=locale, fraction_digits=1)

    return compact


@lru_cache(maxsize=64)
def _compiled(path: Path, _changed_at: int) -> GNUTranslations:
    try:
        catalogue = read_po(io.BytesIO(path.read_bytes()), abort_invalid=True)
    except (OSError, ValueError, PoFileError) as error:
        raise RenderError(f"locales/{path.name} cannot be read: {error}") from error
    made = io.BytesIO()
    write_mo(made, catalogue)
    made.seek(0)
    return GNUTranslations(made)
