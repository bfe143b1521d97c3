"""The configuration as one value: all its tables. `config/overrides.py` has the environment override them.

Only `app` and the doors read it; everything below gets values. `config.example.toml` documents each key;
`config.load.load` reads a file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from digestmail.config.alerts import AlertsTable
from digestmail.config.bounces import BouncesTable
from digestmail.config.digests import DigestTable, RankingTable, TopicTable
from digestmail.config.embeddings import EmbeddingsTable
from digestmail.config.enrichment import EnrichmentTable
from digestmail.config.logs import LogsTable
from digestmail.config.mail import MailTable
from digestmail.config.network import NetworkTable
from digestmail.config.outputs import OutputTable
from digestmail.config.profile import ProfileTable
from digestmail.config.sources import SourceTable
from digestmail.config.summaries import SummariesTable
from digestmail.config.values import DatabaseAddress, WebAddress, without_empty
from digestmail.config.web import WebTable
from digestmail.model.digests import Digest, Schedule, Topic, Weights
from digestmail.model.theme import Appearance


class Config(BaseModel):
    """The whole configuration. Read it with `config.load.load`."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=False)

    base_url: WebAddress | None = None
    database: DatabaseAddress = "sqlite:///digestmail.db"
    epoch_file: Path = Path("digestmail.epoch")
    data_dir: Path | None = None
    templates_dir: Path | None = None
    mail: MailTable
    bounces: BouncesTable = BouncesTable()
    network: NetworkTable = NetworkTable()
    embeddings: EmbeddingsTable | None = None
    summaries: SummariesTable | None = None
    enrichment: EnrichmentTable | None = None
    profile: ProfileTable | None = None
    alerts: AlertsTable | None = None
    web: WebTable = WebTable()
    logs: LogsTable = LogsTable()
    ranking: RankingTable = RankingTable()
    sources: Annotated[tuple[SourceTable, ...], Field(min_length=1)]
    topics: tuple[TopicTable, ...] = ()
    digests: Annotated[tuple[DigestTable, ...], Field(min_length=1)]
    outputs: tuple[OutputTable, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, values: Any) -> Any:
        return without_empty(cls, values)

    @property
    def summary_model(self) -> str | None:
        """The language model whose summaries are shown; None if there is none."""
        return self.summaries.model if self.summaries else None

    def topic_values(self) -> tuple[Topic, ...]:
        """Return all topics as the values the pipeline works on, including those that no digest uses."""
        return tuple(Topic(**table.model_dump()) for table in self.topics)

    def digest_values(self) -> tuple[Digest, ...]:
        """Return the digests as the values the pipeline works on."""
        topics = {topic.name: topic for topic in self.topic_values()}
        weights = Weights(**self.ranking.model_dump())
        source_rules = {table.name: table.rules() for table in self.sources if table.block or table.keep}
        profile = self.profile.value() if self.profile else None
        sources = {table.name: table for table in self.sources}
        return tuple(
            Digest(
                name=table.name,
                title=table.title,
                byline=table.byline,
                schedule=Schedule(cron=table.schedule, timezone=table.timezone),
                sources=table.sources,
                curated=tuple(name for name in table.sources if name in sources and sources[name].curated),
                source_rules=tuple((name, source_rules[name]) for name in table.sources if name in source_rules),
                rules=table.rules(),
                topics=tuple(topics[name] for name in table.topics),
                limits=table.limits(),
                weights=weights,
                window_days=table.window_days,
                also_trending=table.also_trending,
                on_empty=table.on_empty,
                on_missed=table.on_missed,
                wait=table.wait({name: source.kind for name, source in sources.items()}),
                welcome_edition=table.welcome_edition,
                allow_repeats_of=table.allow_repeats_of,
                for_you=table.for_you,
                personal=table.selection == "personal",
                profile=profile,
                summary_model=self.summary_model,
                look=Appearance(
                    layout=table.layout,
                    thumbnails=table.thumbnails,
                    language=table.language,
                    theme=table.theme.value(),
                ),
            )
            for table in self.digests
        )
