"""`[mail]`: who the mail is from, which servers take it, and how it is signed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from digestmail.config.oauth import OAuthTable
from digestmail.config.values import EhloName, Host, Imprint, Mailbox, Password, ReturnPath, ServerName, Table, Word
from digestmail.mail.header_fields import split_mailbox
from digestmail.model.deliveries import AmbiguousPolicy


class SmtpTable(Table):
    """`[mail.smtp]`: the server that takes our mail; `[mail.fallback]`: the one that does when that is broken."""

    host: str = "localhost"
    port: int = Field(default=25, ge=1, le=65535)
    security: Literal["none", "starttls", "tls"] = "none"
    protocol: Literal["smtp", "lmtp"] = "smtp"
    ehlo_name: EhloName | None = None
    ca_file: Path | None = None
    server_name: ServerName | None = None
    username: str | None = None
    password: Password | None = None
    password_file: Path | None = None
    oauth: OAuthTable | None = None
    allow_plaintext_password: bool = False
    timeout: float = Field(default=60.0, gt=0, le=60)
    connections: int = Field(default=16, ge=1, le=1000)
    messages_per_connection: int = Field(default=1000, ge=1)
    messages_per_second: float | None = Field(default=None, gt=0)


class DomainTable(Table):
    """`[[mail.domains]]`: what recipients at one domain may be sent, over all workers."""

    name: str
    messages_per_second: float | None = Field(default=None, gt=0)
    connections: int | None = Field(default=None, ge=1)


class MaildirTable(Table):
    """`[mail.maildir]`: a mailbox on this disk."""

    path: Path = Path("mail")


class SendmailTable(Table):
    """`[mail.sendmail]`: a program on this machine that takes messages like Sendmail."""

    command: Annotated[tuple[Word, ...], Field(min_length=1)] = ("sendmail",)
    timeout: float = Field(default=300.0, gt=0, le=3600)
    connections: int = Field(default=4, ge=1, le=100)
    messages_per_second: float | None = Field(default=None, gt=0)


class DkimTable(Table):
    """`[mail.dkim]`: the keys that sign; with both, every mail carries two signatures."""

    domain: Host | None = None
    rsa_selector: Host = "digest-rsa"
    rsa_key_file: Path | None = None
    ed25519_selector: Host = "digest-ed25519"
    ed25519_key_file: Path | None = None

    def keys(self) -> dict[str, tuple[str, Path]]:
        """Return (selector, file) of each key that is configured, by the name of its key in the table."""
        named = {
            "rsa_key_file": (self.rsa_selector, self.rsa_key_file),
            "ed25519_key_file": (self.ed25519_selector, self.ed25519_key_file),
        }
        return {key: (selector, file) for key, (selector, file) in named.items() if file is not None}


class MailTable(Table):
    """`[mail]`: who it is from and how it goes out."""

    sender: Mailbox
    reply_to: Mailbox | None = None
    bounce_address: ReturnPath | None = None
    imprint: Imprint | None = None
    transport: Literal["smtp", "maildir", "sendmail"] = "smtp"
    give_up_hours: float = Field(default=96.0, gt=0, le=8760)
    max_lateness_hours: float = Field(default=48.0, gt=0, le=8760)
    ambiguous: AmbiguousPolicy = AmbiguousPolicy.RESEND
    smtp: SmtpTable = SmtpTable()
    fallback: SmtpTable | None = None
    domains: tuple[DomainTable, ...] = ()
    maildir: MaildirTable = MaildirTable()
    sendmail: SendmailTable = SendmailTable()
    dkim: DkimTable = DkimTable()

    @property
    def sender_address(self) -> str:
        """The sender's address without the name."""
        return split_mailbox(self.sender)[1]

    def dkim_domain(self) -> str:
        """Return the domain that signs: as configured, else the sender's, as A-labels."""
        from digestmail.text.addresses import split_address, wire_domain

        return wire_domain(self.dkim.domain or split_address(self.sender_address)[1])
