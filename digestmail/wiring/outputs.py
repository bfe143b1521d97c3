"""Outputs beside email: creates them from the configuration."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from digestmail.clock import Clock
from digestmail.config.outputs import AnyOutput, AppriseTable, FilesTable, WebhookTable, ZoteroOutputTable
from digestmail.config.settings import Config
from digestmail.delivery.epoch import EpochFile
from digestmail.errors import StorageError
from digestmail.model.digests import Digest, OutputTarget
from digestmail.model.outputs import OutputsReport
from digestmail.model.reports import Stop
from digestmail.storage import outputs
from digestmail.storage.database import Database

if TYPE_CHECKING:
    from digestmail.mail.templates import Templates
    from digestmail.outputs.base import AlertOutput, Output
    from digestmail.outputs.chat import Chat
    from digestmail.outputs.requests import HttpSettings
    from digestmail.outputs.webhook import Webhook


def targets_of(table: AnyOutput) -> tuple[OutputTarget, ...]:
    """Return the destinations of an output."""
    if not isinstance(table, AppriseTable):
        return (OutputTarget(output=table.name),)
    from digestmail.outputs.chat import fingerprint

    return tuple(OutputTarget(output=table.name, destination=fingerprint(url.get_secret_value())) for url in table.urls)


def with_outputs(digests: Sequence[Digest], config: Config) -> tuple[Digest, ...]:
    """Return the digests, each with the targets that get its editions."""
    if not config.outputs:
        return tuple(digests)
    return tuple(
        replace(
            digest,
            outputs=tuple(target for table in config.outputs if _wants(table, digest) for target in targets_of(table)),
        )
        for digest in digests
    )


def _wants(table: AnyOutput, digest: Digest) -> bool:
    return not digest.personal and (table.digests is None or digest.name in table.digests)


@dataclass(frozen=True, slots=True)
class OutputSetup:
    """What outputs are created from."""

    config: Config
    base: Path
    database: Database
    clock: Clock
    digests: Sequence[Digest]
    templates: Callable[[], Templates]
    """Loads them when they are needed."""
    configured_at: datetime
    """When the configuration was read."""

    def send(self, epoch: Callable[[], EpochFile], *, random: Random, stop: Stop) -> OutputsReport:
        """Send what is due to outputs, and cancel what is queued for others.

        If the database is not available, the report says so: emails were sent before, and their report counts.
        """
        try:
            return self._sent(epoch, random, stop) if self._has_work() else OutputsReport()
        except StorageError as error:
            return OutputsReport(stopped=str(error))

    def _sent(self, epoch: Callable[[], EpochFile], random: Random, stop: Stop) -> OutputsReport:
        from digestmail.outputs.outcomes import OutputRules
        from digestmail.outputs.worker import OutputWorker

        mail = self.config.mail
        rules = OutputRules(
            give_up=timedelta(hours=mail.give_up_hours), max_lateness=timedelta(hours=mail.max_lateness_hours)
        )
        worker = OutputWorker(
            self.database,
            self.known(),
            self.clock,
            rules,
            epoch(),
            random=random,
            stop=stop,
            configured_at=self.configured_at,
        )
        return worker.run()

    def _has_work(self) -> bool:
        """Return whether there is anything to do. This reads one index entry, and imports nothing of outputs."""
        with self.database.connect() as connection:
            if self.config.outputs:
                return outputs.has_due(connection, self.clock.now())
            return outputs.has_open(connection)

    def known(self) -> dict[OutputTarget, Output]:
        """Return every configured target with its output."""
        return {target: output for table in self.config.outputs for target, output in self._outputs(table)}

    def for_alerts(self, names: Sequence[str]) -> Iterator[tuple[str, AlertOutput]]:
        """Yield the outputs with these names that can send alerts, each with its name."""
        for table in self.config.outputs:
            if table.name in names and isinstance(table, AppriseTable | WebhookTable):
                yield from ((table.name, output) for _, output in self._speakers(table))

    def send_test(self, output: Output, digest: Digest) -> str:
        """Send an example to an output; return what the receiver said. Raises OutputError."""
        from digestmail.outputs.attempt import attempt
        from digestmail.outputs.base import OutputMessage
        from digestmail.outputs.content import test_edition

        now = self.clock.now()
        message = OutputMessage(
            edition=test_edition(digest.name, now), token=outputs.new_token(), sent_at=now, test=True
        )
        return attempt(output, message)

    def _outputs(self, table: AnyOutput) -> Iterator[tuple[OutputTarget, Output]]:
        if isinstance(table, AppriseTable | WebhookTable):
            yield from self._speakers(table)
        elif isinstance(table, FilesTable):
            yield targets_of(table)[0], self._files(table)
        else:
            yield targets_of(table)[0], self._zotero(table)

    def _speakers(self, table: AppriseTable | WebhookTable) -> Iterator[tuple[OutputTarget, Chat | Webhook]]:
        """Yield the outputs that send editions and alerts."""
        from digestmail.outputs.chat import Chat

        if isinstance(table, WebhookTable):
            yield targets_of(table)[0], self._webhook(table)
            return
        for target, url in zip(targets_of(table), table.urls, strict=True):
            yield target, Chat(url=url.get_secret_value(), timeout=table.timeout, base_url=self.config.base_url)

    def _files(self, table: FilesTable) -> Output:
        from digestmail.outputs.files import Files
        from digestmail.outputs.pages import PageFormat, PageRenderer

        pages = PageRenderer(
            self.templates(),
            looks={digest.name: digest.look for digest in self.digests},
            titles={digest.name: digest.title for digest in self.digests},
            base_url=self.config.base_url,
        )
        return Files(pages, path=self.base / table.path, form=PageFormat(table.format), timeout=table.timeout)

    def _webhook(self, table: WebhookTable) -> Webhook:
        from digestmail.outputs.webhook import Webhook

        secrets = table.secret.get_secret_value().split() if table.secret else []
        return Webhook(
            self._http(),
            url=table.url,
            secrets=tuple(secrets),
            timeout=table.timeout,
            base_url=self.config.base_url,
        )

    def _zotero(self, table: ZoteroOutputTable) -> Output:
        from digestmail.outputs.zotero import ZoteroCollection

        return ZoteroCollection(
            self._http(),
            url=table.url,
            library=table.library,
            collection=table.collection,
            api_key=table.api_key.get_secret_value() if table.api_key else "",
            timeout=table.timeout,
        )

    def _http(self) -> HttpSettings:
        from digestmail import __version__
        from digestmail.outputs.requests import HttpSettings
        from digestmail.sources.http.ssrf import PrivateHosts
        from digestmail.wiring.sources import proxies_of

        network = self.config.network
        private = PrivateHosts.parse(network.allow_private_hosts, network.allow_private_networks)
        contact = network.user_agent_contact or self.config.mail.sender_address
        return HttpSettings(
            clock=self.clock,
            user_agent=f"digestmail/{__version__} (+{contact})",
            proxies=proxies_of(network)[0],
            direct_hosts=frozenset(host for host, _ in private.hosts),
        )
