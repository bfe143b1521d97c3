"""The tables, one module for each group. Constraints here forbid states that must not occur."""

from __future__ import annotations

from digestmail.storage import search_index
from digestmail.storage.schema.bounce import bounces
from digestmail.storage.schema.columns import Moment, UntrustedText, metadata, storable_text
from digestmail.storage.schema.delivery import attempts, deliveries, notice_attempts, notices
from digestmail.storage.schema.edition import (
    edition_papers,
    editions,
    pick_reasons,
    picked_papers,
    qualified_papers,
    segment_papers,
    segments,
)
from digestmail.storage.schema.history import domain_days, incidents, runs, source_days
from digestmail.storage.schema.operation import idempotency_keys, settings
from digestmail.storage.schema.output import output_attempts, output_deliveries, stopped_outputs
from digestmail.storage.schema.paper import (
    paper_aliases,
    paper_embeddings,
    paper_records,
    paper_summaries,
    papers,
    sightings,
    topic_models,
)
from digestmail.storage.schema.relay import connection_leases, oauth_tokens, rates, servers, workers
from digestmail.storage.schema.source import api_usage, host_limits, source_health, sources, validators
from digestmail.storage.schema.subscriber import (
    address_changes,
    address_requests,
    changes,
    confirmations,
    feedback,
    opt_outs,
    profiles,
    reading_list_papers,
    reading_lists,
    subscribers,
    subscriptions,
    suppressions,
    unsubscribe_mails,
)

__all__ = [
    "Moment",
    "UntrustedText",
    "address_changes",
    "address_requests",
    "api_usage",
    "attempts",
    "bounces",
    "changes",
    "confirmations",
    "connection_leases",
    "deliveries",
    "domain_days",
    "edition_papers",
    "editions",
    "feedback",
    "host_limits",
    "idempotency_keys",
    "incidents",
    "metadata",
    "notice_attempts",
    "notices",
    "oauth_tokens",
    "opt_outs",
    "output_attempts",
    "output_deliveries",
    "paper_aliases",
    "paper_embeddings",
    "paper_records",
    "paper_summaries",
    "papers",
    "pick_reasons",
    "picked_papers",
    "profiles",
    "qualified_papers",
    "rates",
    "reading_list_papers",
    "reading_lists",
    "runs",
    "segment_papers",
    "segments",
    "servers",
    "settings",
    "sightings",
    "source_days",
    "source_health",
    "sources",
    "stopped_outputs",
    "storable_text",
    "subscribers",
    "subscriptions",
    "suppressions",
    "topic_models",
    "unsubscribe_mails",
    "validators",
    "workers",
]

search_index.follow(metadata)
