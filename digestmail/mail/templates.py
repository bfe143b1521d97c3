"""Templates: rendered in a sandbox in one language, and compiled from MJML.

The operator's templates take precedence over the built-in ones. Errors name the template, the line and the problem.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup
from mjml import mjml2html

from digestmail.errors import RenderError
from digestmail.mail.compiled_templates import CompiledTemplates
from digestmail.mail.i18n import compact_number, date_formats, direction, translations
from digestmail.mail.mjml_lint import mjml_problems
from digestmail.mail.template_files import template_directories
from digestmail.mail.view_model import Block
from digestmail.mail.view_rows import Link, Row
from digestmail.model.theme import Appearance, Palette, Theme
from digestmail.text.truncate import at_sentence, at_word
from digestmail.text.wrapping import wrap

T = TypeVar("T")

LINE: Final = "<!--|-->"
"""Where the HTML has a line end, as templates write it: MJML removes white space between tags, but no comments."""

_TEMPLATE_ERRORS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""Exceptions that Python raises from a faulty template, besides Jinja2's own."""


_SHOWN = frozenset({Row, Block, Link, Appearance, Theme, Palette})
"""Types that are safe to expose: frozen, without methods, with plain public attributes."""


class SandboxedTemplates(ImmutableSandboxedEnvironment):
    """A sandbox with a fast path for types that are safe to expose, which halves the rendering time."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return an attribute, or what raises SecurityError when it is used."""
        if type(obj) in _SHOWN and attribute in type(obj).__slots__:
            return getattr(obj, attribute)
        return super().getattr(obj, attribute)


class _Loader(jinja2.FileSystemLoader):
    """Also finds `name.jinja` as `name.jinja.txt`, so that macros can be used in the text part without escaping."""

    def get_source(self, environment: jinja2.Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        found = template.removesuffix(".txt") if template.endswith(".jinja.txt") else template
        return super().get_source(environment, found)


class Templates:
    """The templates, with one environment for each language in use."""

    def __init__(self, own: Path | None = None) -> None:
        """Templates are loaded on first use. The directory `own` takes precedence over the built-in templates."""
        self.directories = template_directories(own)
        self._environments: dict[str, jinja2.Environment] = {}

    def render(self, name: str, context: dict[str, Any], *, language: str) -> str:
        """Render the template `name`. Raises RenderError."""
        return self._checked(name, lambda: self._environment(language).get_template(name).render(context))

    def _checked(self, name: str, work: Callable[[], T]) -> T:
        """Return what `work` returns. Raises RenderError if it cannot."""
        try:
            return work()
        except jinja2.TemplateNotFound as error:
            raise RenderError(f"{error.name}: there is no such template") from error
        except jinja2.TemplateSyntaxError as error:
            raise RenderError(f"{error.name or name}, line {error.lineno}: {error.message}") from error
        except (jinja2.TemplateError, *_TEMPLATE_ERRORS) as error:
            raise RenderError(f"{_place(error, name)}: {error}") from error

    def source(self, name: str, *, own: bool) -> str:
        """Return the text of a template: the one in use, or the built-in one. It must exist."""
        directories = self.directories if own else self.directories[-1:]
        path = next(directory / name for directory in directories if (directory / name).is_file())
        return path.read_text("utf-8", errors="replace")

    def macros(self, name: str, context: dict[str, Any], *, language: str) -> Any:
        """Return the macros of the template `name`, which know `context`, as attributes. Raises RenderError."""
        return self._checked(name, lambda: self._environment(language).get_template(name).make_module(context))

    def call(self, macros: Any, name: str, *arguments: Any) -> str:
        """Return what the macro `name` makes of `arguments`. Raises RenderError."""
        return self._checked(name, lambda: str(getattr(macros, name)(*arguments)))

    def language_context(self, language: str) -> dict[str, str]:
        """Return the template variables of a language: `lang`, `dir`, and the start and end sides of text."""
        way = direction(language)
        start, end = ("right", "left") if way == "rtl" else ("left", "right")
        return {"lang": language, "dir": way, "start": start, "end": end}

    def _environment(self, language: str) -> jinja2.Environment:
        if language not in self._environments:
            self._environments[language] = self._made(language)
        return self._environments[language]

    def _made(self, language: str) -> jinja2.Environment:
        environment = SandboxedTemplates(
            loader=_Loader(self.directories),
            autoescape=jinja2.select_autoescape(disabled_extensions=("txt",), default=True),
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.i18n"],
            bytecode_cache=CompiledTemplates(f"email {language}"),
        )
        install_language(environment, language, self.directories)
        environment.filters |= {"fill": wrap, "shorten": at_word, "sentences": at_sentence}
        environment.globals["line"] = Markup(LINE)  # noqa: S704 - a constant
        return environment


def install_language(environment: jinja2.Environment, language: str, directories: Sequence[Path]) -> None:
    """Install gettext and the date and number filters of `language` in `environment`. Raises RenderError.

    The environment must have the extension `jinja2.ext.i18n`.
    """
    extended: Any = environment  # the extension adds methods that are not typed
    extended.install_gettext_translations(translations(language, directories), newstyle=True)
    environment.policies["ext.i18n.trimmed"] = True
    environment.filters |= {"compact": compact_number(language), **date_formats(language)}


def compiled(name: str, source: str) -> str:
    """Compile `source`, the rendered MJML of the template `name`, to HTML. Raises RenderError."""
    if problems := mjml_problems(source):
        raise RenderError(f"{name}: is not valid MJML after rendering: {'; '.join(problems[:3])}")
    try:
        html: str = mjml2html(source)
    except ValueError as error:
        raise RenderError(f"{name}: is not valid MJML after rendering: {error}") from error
    if "<mj-" in html or "</mj-" in html:
        raise RenderError(f"{name}: contains a tag that is not MJML")
    # An email that is opened on its own is a page, and a page needs one main landmark (WAI-ARIA 1.2 section 5.3.4).
    return html.replace(' role="article"', ' role="main"', 1).replace(LINE, "\n")


def _place(error: Exception, name: str) -> str:
    """Return the template and line of an error. Jinja2 rewrites tracebacks to contain them."""
    place, step = name, error.__traceback__
    while step is not None:
        if Path(step.tb_frame.f_code.co_filename).parent.name == "email":
            place = f"email/{Path(step.tb_frame.f_code.co_filename).name}, line {step.tb_lineno}"
        step = step.tb_next
    return place
