"""The page that `digestmail backtest --html` writes: one file, without scripts, that loads nothing."""

from __future__ import annotations

from digestmail.editions.backtest import Backtest


def render(result: Backtest, candidate: str) -> str:
    """Return the comparison with the configuration file `candidate` as HTML."""
    import jinja2

    from digestmail.mail.template_files import templates_directory
    from digestmail.web.filters import web_link

    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates_directory()),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters["web_link"] = web_link
    return templates.get_template("backtest/page.html").render(result=result, candidate=candidate)
