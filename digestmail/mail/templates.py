"""Templates: filled in inside a sandbox, in one language, and compiled from MJML.

An operator's own go before the house's. An error names the template, the line and what is wrong there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment
from mjml import mjml2html

from digestmail.errors import RenderError
from digestmail.mail.i18n import compact_number, date_formats, direction, template_directories, translations
from digestmail.mail.mjml_lint import mjml_problems
from digestmail.mail.view_model import Block, Link, Row
from digestmail.model.theme import Appearance, Palette, Theme
from digestmail.text.truncate import at_sentence, at_word

_TEXT_WIDTH: Final = 72
_FAULTS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What Python raises out of a faulty template, beside Jinja2's own errors."""


_SHOWN = frozenset({Row, Block, Link, Appearance, Theme, Palette})
"""Types made to be shown: frozen, without methods, all of their public attributes plain values."""


class _Environment(ImmutableSandboxedEnvironment):
    """A sandbox that does not ask long about what is made to be shown, which would be half the time of rendering."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        if type(obj) in _SHOWN and attribute in type(obj).__slots__:
            return getattr(obj, attribute)
        return super().getattr(obj, attribute)


class _Loader(jinja2.FileSystemLoader):
    """Finds `name.jinja` under the name `name.jinja.txt` too: macros for a text part, which escapes nothing."""

    def get_source(self, environment: jinja2.Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        found = template.removesuffix(".txt") if template.endswith(".jinja.txt") else template
        return super().get_source(environment, found)


class Templates:
    """The templates, one environment for each language that is asked for."""

    def __init__(self, own: Path | None = None) -> None:
        """Read nothing yet. A file is looked for in the directory `own` first, then among digestmail's."""
        self.directories = template_directories(own)
        self._environments: dict[str, jinja2.Environment] = {}

    def fill(self, name: str, context: dict[str, Any], *, language: str) -> str:
        """Return the template `name` filled in. Raises RenderError."""
        try:
            return self._environment(language).get_template(name).render(context)
        except jinja2.TemplateNotFound as error:
            raise RenderError(f"{error.name}: there is no such template") from error
        except jinja2.TemplateSyntaxError as error:
            raise RenderError(f"{error.name or name}, line {error.lineno}: {error.message}") from error
        except (jinja2.TemplateError, *_FAULTS) as error:
            raise RenderError(f"{_place(error, name)}: {error}") from error

    def speech(self, language: str) -> dict[str, str]:
        """Return what a template needs to know of the language: `lang`, `dir`, and where text starts and ends."""
        way = direction(language)
        start, end = ("right", "left") if way == "rtl" else ("left", "right")
        return {"lang": language, "dir": way, "start": start, "end": end}

    def _environment(self, language: str) -> jinja2.Environment:
        if language not in self._environments:
            self._environments[language] = self._made(language)
        return self._environments[language]

    def _made(self, language: str) -> jinja2.Environment:
        environment = _Environment(
            loader=_Loader(self.directories),
            autoescape=jinja2.select_autoescape(disabled_extensions=("txt",), default=True),
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.i18n"],
        )
        install_language(environment, language, self.directories)
        environment.filters |= {"fill": _fill, "shorten": at_word, "sentences": at_sentence}
        return environment


def install_language(environment: jinja2.Environment, language: str, directories: Sequence[Path]) -> None:
    """Give `environment` gettext and the date and number filters of `language`. Raises RenderError.

    The environment must have the extension `jinja2.ext.i18n`.
    """
    extended: Any = environment  # the extension adds methods that no type describes
    extended.install_gettext_translations(translations(language, directories), newstyle=True)
    environment.policies["ext.i18n.trimmed"] = True
    environment.filters |= {"compact": compact_number(language), **date_formats(language)}


def compiled(name: str, source: str) -> str:
    """Return `source`, the MJML the template `name` became, as HTML. Raises RenderError."""
    if problems := mjml_problems(source):
        raise RenderError(f"{name}: is not MJML once it is filled in: {'; '.join(problems[:3])}")
    try:
        html: str = mjml2html(source)
    except ValueError as error:
        raise RenderError(f"{name}: is not MJML once it is filled in: {error}") from error
    if "<mj-" in html or "</mj-" in html:
        raise RenderError(f"{name}: holds a tag that is not MJML")
    # Opened on its own, a mail is a page, and a page has one main landmark (WAI-ARIA 1.2 section 5.3.4).
    return html.replace(' role="article"', ' role="main"', 1)


def _fill(text: str, indent: str = "", hanging: str | None = None) -> str:
    """Wrap `text` to the width of a text mail; a long word stays whole.

    The first line begins with `indent`, the others with `hanging`, which is the same unless it is given.
    """
    lines, line = [], indent
    hanging = indent if hanging is None else hanging
    for word in filter(None, text.replace("\n", " ").split(" ")):  # a no-break space breaks no line
        if len(line) + len(word) > _TEXT_WIDTH and line.strip():
            lines.append(line[:-1])
            line = hanging
        line += f"{word} "
    return "\n".join((*lines, line.rstrip(" ")))


def _place(error: Exception, name: str) -> str:
    """Return the template and line an error came from: Jinja2 rewrites its tracebacks to say so."""
    place, step = name, error.__traceback__
    while step is not None:
        if Path(step.tb_frame.f_code.co_filename).parent.name == "email":
            place = f"email/{Path(step.tb_frame.f_code.co_filename).name}, line {step.tb_lineno}"
        step = step.tb_next
    return place
