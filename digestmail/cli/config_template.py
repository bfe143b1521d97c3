"""The configuration `digestmail init` writes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv6Address
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from digestmail.config.digests import TopicTable
from digestmail.config.source_tables import as_toml, new_sources, quoted
from digestmail.config.sources import AnySource, ArxivFeedTable, HuggingFaceTable

_TOPICS = {
    "Language models": ("language model", "llm", "instruction tuning"),
    "Agents": ("agent", "tool use", "computer use"),
    "Vision": ("image generation", "video generation", "segmentation", "vision-language"),
    "Efficiency": ("quantization", "pruning", "distillation", "low-rank"),
}
"""Examples."""
_SECURITY: dict[int, Literal["starttls", "tls"]] = {465: "tls", 587: "starttls"}
"""What the well-known ports speak (RFC 8314 sections 3.3 and 7.3)."""
_LOGIN = '# username = "digest"\n# password_file = "smtp-password"\n'
_SERVER = re.compile(r"(?:\[(?P<v6>[^\]]*)\]|(?P<host>[^:\[\]]*))(?::(?P<port>[^:]*))?")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?\.?")
_HIGHEST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Server:
    """A mail server: `host` is a name or an IP address without brackets."""

    host: str
    port: int

    @property
    def security(self) -> Literal["none", "starttls", "tls"]:
        """What the port speaks."""
        return _SECURITY.get(self.port, "none")


def parse_server(text: str) -> Server:
    """Return the server that HOST[:PORT] names; an IPv6 address is in brackets. Raises ValueError."""
    found = _SERVER.fullmatch(text.strip())
    if found is None:
        try:
            IPv6Address(text)
        except ValueError:
            raise ValueError(f"{text!r} is not HOST[:PORT], such as smtp.example.org:587") from None
        raise ValueError(f"put brackets around an IPv6 address: [{text}]:25")
    host, port = found["v6"] if found["v6"] is not None else found["host"], found["port"]
    if found["v6"] is not None:
        try:
            IPv6Address(host)
        except ValueError:
            raise ValueError(f"{host!r} in brackets is not an IPv6 address") from None
    elif not _HOST.fullmatch(host):
        raise ValueError(f"there is no host in {text!r}" if not host else f"{host!r} is not a host name")
    if port is None:
        return Server(host, 25)
    if not (port.isascii() and port.isdigit() and 1 <= int(port) <= _HIGHEST_PORT):
        raise ValueError(f"{port!r} is not a port: a number from 1 to {_HIGHEST_PORT}")
    return Server(host, int(port))


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the options of `digestmail init` say, unchecked."""

    sender: str = ""
    smtp: str = "localhost:25"
    maildir: Path | None = None
    username: str = ""
    password_file: str = ""
    huggingface: bool = True
    arxiv: str = ""
    """Categories with commas between them."""
    feeds: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Starter:
    """What a new configuration says."""

    sender: str
    server: Server = Server("localhost", 25)
    maildir: Path | None = None
    """Where emails go instead of to `server`."""
    username: str = ""
    password_file: str = ""
    sources: tuple[AnySource, ...] = ()
    topics: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """(name, keywords); four examples if there are none."""

    def toml(self) -> str:
        """Return the text of the configuration."""
        topics = self.topics or tuple(_TOPICS.items())
        sources = self.sources or (HuggingFaceTable(name="huggingface", kind="huggingface"),)
        return (
            "# A small configuration; `digestmail config show` prints all keys and their values.\n"
            f"[mail]\nsender = {quoted(self.sender)}\n{self._transport()}{as_toml(sources)}"
            "\n# Topics that readers can choose from. Change them to what your readers work on, and add your own.\n"
            + "\n".join(
                f"[[topics]]\nname = {quoted(name)}\nkeywords = {_listed(keywords)}\n" for name, keywords in topics
            )
            + '\n[[digests]]\nname = "daily"\ntitle = "Trending papers"\nschedule = "0 12 * * *"\ntimezone = "UTC"\n'
            f"sources = {_listed(table.name for table in sources)}\n"
            f"topics = {_listed(name for name, _ in topics)}\n"
        )

    def _transport(self) -> str:
        if self.maildir is not None:
            return f'transport = "maildir"\n\n[mail.maildir]\npath = {quoted(str(self.maildir))}\n'
        lines = f"\n[mail.smtp]\nhost = {quoted(self.server.host)}\nport = {self.server.port}\n"
        if self.server.security != "none":
            lines += f"security = {quoted(self.server.security)}\n"
        if self.username:
            return f"{lines}username = {quoted(self.username)}\npassword_file = {quoted(self.password_file)}\n"
        return lines if self.server.security == "none" else lines + _LOGIN


def parse_topic(text: str) -> tuple[str, tuple[str, ...]]:
    """Return the topic that `Name: word, another word` describes. Raises ValueError."""
    name, colon, words = text.partition(":")
    keywords = tuple(word for each in words.split(",") if (word := each.strip()))
    if not colon or not keywords or not name.strip():
        raise ValueError(f"{text!r} is not a topic: write its name, a colon, and keywords with commas between them")
    return TopicTable(name=name.strip(), keywords=keywords).name, keywords


def make_sources(given: Given) -> tuple[AnySource, ...]:
    """Return the sources of a new configuration. Raises ValueError."""
    tables: list[AnySource] = [HuggingFaceTable(name="huggingface", kind="huggingface")] if given.huggingface else []
    categories = tuple(category for each in given.arxiv.split(",") if (category := each.strip()))
    if categories:
        try:
            tables.append(ArxivFeedTable(name="arxiv", kind="arxiv-feed", categories=categories))
        except ValidationError as error:
            raise ValueError(
                f'{given.arxiv!r}: a category is written like "cs.LG", and an archive like "cs"'
            ) from error
    found = new_sources([("", feed) for feed in given.feeds], tables)
    if found.refused:
        raise ValueError("; ".join(f"{address}: {reason}" for address, reason in found.refused))
    if not (*tables, *found.tables):
        raise ValueError("a digest needs at least one source")
    return (*tables, *found.tables)


def _listed(texts: Iterable[str]) -> str:
    return f"[{', '.join(map(quoted, texts))}]"
