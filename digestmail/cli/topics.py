"""`digestmail topics`: list them, test which papers one admits, and suggest new ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from digestmail.cli.options import ConfigPath, Json, Now, open_app

if TYPE_CHECKING:
    from digestmail.app import App
    from digestmail.editions.topic_report import TopicTest

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Choose and tune topics.")

Days = Annotated[int, typer.Option(min=1, max=366, help="How many days to look back.")]
_LISTED_DAYS = 14


@app.command(name="list")
def list_topics(config: ConfigPath = None, now: Now = None, json: Json = False) -> None:
    """List the topics, their digests, whether they were learned, and how many papers of 14 days they admit."""
    from digestmail.cli import printing, topic_text
    from digestmail.editions import topic_report

    with open_app(config, now) as opened:
        topics = opened.config.topic_values()
        rows = topic_report.list_topics(opened.database, topics, opened.digests, opened.clock.now(), _LISTED_DAYS)
    if json:
        printing.as_json(rows)
    else:
        topic_text.show_rows(rows, _LISTED_DAYS)


@app.command(name="test")
def try_topic(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As `topics list` shows it.")],
    config: ConfigPath = None,
    days: Days = 14,
    digest: Annotated[
        str | None,
        typer.Option(
            help="Test the papers of this digest's sources. Default: of all digests that use the topic.",
            show_default=False,
        ),
    ] = None,
    now: Now = None,
    json: Json = False,
) -> None:
    """Show which papers of the last days a topic admits, how strongly and why, whether published or not."""
    from digestmail.cli import printing, topic_text

    with open_app(config, now) as opened:
        result = _examined(opened, name, digest, days)
    if json:
        printing.as_json(result)
    else:
        topic_text.show_test(result, days)


@app.command()
def suggest(
    config: ConfigPath = None,
    days: Days = 21,
    topics: Annotated[int, typer.Option(min=2, max=50, help="How many topics to suggest.")] = 8,
    digest: Annotated[
        str | None,
        typer.Option(help="Use the papers of this digest's sources. Default: of all sources.", show_default=False),
    ] = None,
    now: Now = None,
    json: Json = False,
) -> None:
    """Suggest topics as TOML for the configuration: groups of papers of the last days, and what sets each apart."""
    from digestmail.cli import printing, topic_text
    from digestmail.cli.names import find_named
    from digestmail.editions.topic_suggestions import suggest_from

    with open_app(config, now) as opened:
        if digest is None:
            sources = tuple(table.name for table in opened.config.sources)
        else:
            sources = find_named("digest", digest, opened.digests).sources
        taken = [topic.name for topic in opened.config.topic_values()]
        at = opened.clock.now()
        found = suggest_from(opened.database, sources, taken, at, days=days, count=topics)
    if json:
        printing.as_json(found)
    else:
        topic_text.show_suggestions(found, days)


def _examined(opened: App, name: str, digest: str | None, days: int) -> TopicTest:
    """Examine a topic with the papers of one digest, of those that use it, or of all sources if none does."""
    from digestmail.cli.names import find_named
    from digestmail.editions.topic_report import examine_topic

    topic = find_named("topic", name, opened.config.topic_values())
    users = [one for one in opened.digests if topic in one.topics]
    tested = users if digest is None else [find_named("digest", digest, opened.digests)]
    named = [source for one in tested for source in one.sources]
    sources = tuple(dict.fromkeys(named or [table.name for table in opened.config.sources]))
    return examine_topic(opened.database, topic, users, sources, opened.clock.now(), days)
