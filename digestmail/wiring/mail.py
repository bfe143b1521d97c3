"""Outgoing email: creates the sender, the writer and the transports from the configuration."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from digestmail.clock import Clock
from digestmail.config.mail import MailTable, SmtpTable
from digestmail.config.settings import Config
from digestmail.delivery.composers import Composers
from digestmail.delivery.edition_composer import EditionComposer
from digestmail.delivery.notice_composer import NoticeComposer, NoticeOrigin
from digestmail.delivery.outcomes import Rules
from digestmail.delivery.pacing import DomainLimit, DomainLimits
from digestmail.mail.dkim import Algorithm, Signer
from digestmail.mail.link_tokens import LinkTokens
from digestmail.mail.message_headers import Sender
from digestmail.mail.render import Renderer
from digestmail.mail.tokens import Tokens
from digestmail.mail.writer import MailWriter
from digestmail.model.digests import Digest
from digestmail.storage.database import Database
from digestmail.text.addresses import split_address, wire_domain
from digestmail.transports.base import Transport
from digestmail.transports.factory import make_transports
from digestmail.transports.sasl import AccessTokens
from digestmail.transports.sendmail import SendmailTransport
from digestmail.transports.smtp.client import SmtpTransport
from digestmail.transports.smtp.login import Login
from digestmail.wiring.oauth import access_tokens


def writer(config: Config, base: Path, renderer: Renderer, digests: Sequence[Digest]) -> MailWriter:
    """Return the mail writer. Raises OSError or ValueError if a DKIM key cannot be read."""
    mail = config.mail
    host = urlsplit(config.base_url).hostname if config.base_url else None
    sender = Sender(
        mailbox=mail.sender,
        reply_to=mail.reply_to,
        bounce_address=mail.bounce_address,
        domain=wire_domain(host or split_address(mail.sender_address)[1]),
        base_url=config.base_url,
    )
    looks = {digest.name: digest.look for digest in digests}
    return MailWriter(renderer, sender, looks, signers(mail, base), feedback=config.web.feedback)


def signers(mail: MailTable, base: Path) -> tuple[Signer, ...]:
    """Return the DKIM keys, Ed25519 before RSA. Verifiers that know only one of them use their own."""
    return tuple(
        Signer(domain=mail.dkim_domain(), selector=selector, pem=(base / file).read_bytes())
        for _, (selector, file) in sorted(mail.dkim.keys().items())
    )


def edition_composer(config: Config, database: Database, writer: MailWriter, tokens: Tokens) -> EditionComposer:
    """Return the composer of deliveries."""
    return EditionComposer(
        database,
        writer.render,
        writer.edition_message,
        tokens,
        sender=config.mail.sender_address,
        domain=writer.sender.domain,
        bounce_address=config.mail.bounce_address,
        edition_messages=writer.edition_messages,
    )


def notice_composer(
    config: Config, database: Database, writer: MailWriter, digests: Sequence[Digest], tokens: Tokens, links: LinkTokens
) -> NoticeComposer:
    """Return the composer of notices. They use the theme of the first digest."""
    return NoticeComposer(
        database,
        digests,
        partial(writer.renderer.notice, look=digests[0].look),
        writer.notice_message,
        tokens,
        links,
        place=NoticeOrigin(base_url=config.base_url, sender=config.mail.sender_address, domain=writer.sender.domain),
    )


def composers(
    config: Config, database: Database, writer: MailWriter, digests: Sequence[Digest], tokens: Tokens, links: LinkTokens
) -> Composers:
    """Return what composes each kind of message."""
    return Composers(
        editions=edition_composer(config, database, writer, tokens),
        notices=notice_composer(config, database, writer, digests, tokens, links),
        threads=threads_for(writer.signers),
    )


def threads_for(signers: Sequence[Signer]) -> int:
    """Return how many threads compose messages: as many as there are cores if signing takes longer than sending."""
    is_slow = any(signer.algorithm is Algorithm.RSA for signer in signers)
    return os.cpu_count() or 1 if is_slow else 0


def transports(config: Config, base: Path, database: Database, clock: Clock) -> tuple[Transport, ...]:
    """Return the transports in order of preference; nothing is connected yet."""
    mail = config.mail
    return make_transports(_maildir(mail, base), _sendmail(mail), _servers(config, base, database, clock))


def rules(mail: MailTable) -> Rules:
    """Return the policy for failed deliveries."""
    return Rules(
        give_up=timedelta(hours=mail.give_up_hours),
        max_lateness=timedelta(hours=mail.max_lateness_hours),
        ambiguous=mail.ambiguous,
    )


def domain_limits(mail: MailTable) -> DomainLimits:
    """Return the limits for recipients at each domain."""
    return DomainLimits(
        domains={
            wire_domain(table.name.lower()): DomainLimit(
                messages_per_second=table.messages_per_second, connections=table.connections
            )
            for table in mail.domains
        }
    )


def _maildir(mail: MailTable, base: Path) -> Path | None:
    return base / mail.maildir.path if mail.transport == "maildir" else None


def _sendmail(mail: MailTable) -> SendmailTransport | None:
    if mail.transport != "sendmail":
        return None
    table = mail.sendmail
    return SendmailTransport(
        table.command,
        timeout=table.timeout,
        connections=table.connections,
        messages_per_second=table.messages_per_second,
    )


def _servers(config: Config, base: Path, database: Database, clock: Clock) -> tuple[SmtpTransport, ...]:
    tables = {"mail.smtp": config.mail.smtp, "mail.fallback": config.mail.fallback}
    return tuple(
        smtp_transport(table, base, access_tokens(config, base, database, clock, key))
        for key, table in tables.items()
        if table is not None
    )


def smtp_transport(table: SmtpTable, base: Path, tokens: AccessTokens | None = None) -> SmtpTransport:
    """Return the transport to a server; nothing is connected yet. `tokens` replace a password."""
    return SmtpTransport(
        name=f"{table.host}:{table.port}",
        host=table.host,
        port=table.port,
        security=table.security,
        dialect=table.protocol,
        ca_file=base / table.ca_file if table.ca_file else None,
        server_name=table.server_name,
        local_hostname=table.ehlo_name,
        login=_login(table, tokens),
        timeout=table.timeout,
        connections=table.connections,
        messages_per_connection=table.messages_per_connection,
        messages_per_second=table.messages_per_second,
    )


def _login(table: SmtpTable, tokens: AccessTokens | None) -> Login | None:
    if table.username is None:
        return None
    return Login(
        username=table.username,
        password=table.password.get_secret_value() if table.password else "",
        tokens=tokens,
    )
