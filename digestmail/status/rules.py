"""What `digestmail check` says about topics, and about block and keep rules, that can have no effect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from digestmail.selection.futile import is_only_a_name, rule_faults, topic_faults

if TYPE_CHECKING:
    from digestmail.app import App


def problems(app: App) -> Iterator[str]:
    """Yield rules that leave no paper, and conditions and topics that no paper meets."""
    for topic in app.config.topic_values():
        yield from (f"topic {topic.name}: {fault}" for fault in topic_faults(topic))
    for digest in app.digests:
        yield from (f"digest {digest.name}: {fault}" for fault in rule_faults(digest.rules))
    # The feeds of a table have its rules.
    ruled = {table.name.partition("/")[0]: table.rules() for table in app.config.sources}
    for name, rules in ruled.items():
        yield from (f"source {name}: {fault}" for fault in rule_faults(rules))


def notes(app: App) -> Iterator[str]:
    """Yield topics that have only a name."""
    for topic in app.config.topic_values():
        if is_only_a_name(topic):
            yield (
                f"topic {topic.name} has only a name, so only papers that resemble its words match: give it keywords, "
                "a description, categories or authors in [[topics]]"
            )
