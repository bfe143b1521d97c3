"""The status as metrics for Prometheus, in its text format (https://prometheus.io/docs/instrumenting/exposition_formats/).

They come from the database, so any process on it answers for all. Needs the extra `digestmail[metrics]`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from digestmail.model.reports import WELL
from digestmail.status.overview import DAYS, Status

if TYPE_CHECKING:
    from prometheus_client import Metric

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def metrics(status: Status) -> bytes:
    """Return the metrics. Raises ImportError if prometheus-client is not installed."""
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.registry import Collector

    class StatusCollector(Collector):
        def collect(self) -> Iterator[Metric]:
            return _families(status)

    registry = CollectorRegistry()
    registry.register(StatusCollector())
    return generate_latest(registry)


def _families(status: Status) -> Iterator[Metric]:
    found = status.check
    yield _gauge("digestmail_info", "The version.", {status.version: 1}, "version")
    yield _gauge("digestmail_problems", "What needs the operator, as `digestmail check` names it.", len(found.problems))
    yield from _of_runs(status)
    due = {name: _seconds(at) for name, at in found.next_due.items()}
    yield _gauge("digestmail_digest_next_timestamp_seconds", "When a digest's next slot begins.", due, "digest")
    yield from _of_sources(status)
    yield _gauge("digestmail_outbox", "Deliveries that are open or ambiguous, by state.", found.outbox.outbox, "state")
    yield _gauge("digestmail_subscribers", "Subscribers by state.", status.subscribers, "state")
    yield _gauge("digestmail_suppressions", "Suppressed addresses by reason.", status.suppressions, "reason")
    yield from _of_domains(status)
    yield _gauge("digestmail_database_bytes", "The size of the database.", status.database_bytes)
    if status.free_bytes is not None:
        yield _gauge("digestmail_disk_free_bytes", "Free space on the disk of the database.", status.free_bytes)


def _of_runs(status: Status) -> Iterator[Metric]:
    if status.run_at:
        yield _gauge("digestmail_run_timestamp_seconds", "The end of the last run.", _seconds(status.run_at))
    if status.good_run_at:
        at = _seconds(status.good_run_at)
        yield _gauge("digestmail_good_run_timestamp_seconds", "The end of the last run without trouble.", at)


def _of_sources(status: Status) -> Iterator[Metric]:
    read = {line.name: line.health for line in status.sources if line.health is not None}
    up = {name: int(health.health in WELL) for name, health in read.items()}
    yield _gauge("digestmail_source_up", "Whether the last reading of a source went well.", up, "source")
    last = {name: _seconds(health.read_at) for name, health in read.items()}
    yield _gauge("digestmail_source_read_timestamp_seconds", "The last reading of a source.", last, "source")
    new = {name: _seconds(health.fresh_at) for name, health in read.items() if health.fresh_at}
    yield _gauge("digestmail_source_new_timestamp_seconds", "When a source last had new papers.", new, "source")


def _of_domains(status: Status) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily

    about = f"The {DAYS} last days by recipient domain; the empty one stands for small domains."
    family = GaugeMetricFamily("digestmail_recent_messages", about, labels=["domain", "result"])
    for one in status.domains:
        for result in ("sent", "failed", "bounces", "complaints"):
            family.add_metric([one.domain, result], getattr(one, result))
    yield family


def _gauge(name: str, about: str, values: float | Mapping[str, float], label: str = "") -> Metric:
    """Return a gauge with one value, or one for each value of `label`."""
    from prometheus_client.core import GaugeMetricFamily

    family = GaugeMetricFamily(name, about, labels=[label] if label else [])
    for key, value in values.items() if isinstance(values, Mapping) else [("", values)]:
        family.add_metric([key] if label else [], value)
    return family


def _seconds(moment: datetime) -> float:
    return moment.timestamp()
