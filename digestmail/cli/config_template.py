"""The configuration `digestmail init` writes."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from ipaddress import IPv6Address
from pathlib import Path

_STARTER = """\
# A small configuration; config.example.toml in the project documents every key.
[mail]
sender = {sender}
{transport}
[[sources]]
name = "huggingface"
kind = "huggingface"

# Topics that readers can choose from. Change them to what your readers work on, and add your own.
[[topics]]
name = "Language models"
keywords = ["language model", "llm", "instruction tuning"]

[[topics]]
name = "Agents"
keywords = ["agent", "tool use", "computer use"]

[[topics]]
name = "Vision"
keywords = ["image generation", "video generation", "segmentation", "vision-language"]

[[topics]]
name = "Efficiency"
keywords = ["quantization", "pruning", "distillation", "low-rank"]

[[digests]]
name = "daily"
title = "Trending papers"
schedule = "0 12 * * *"
timezone = "UTC"
sources = ["huggingface"]
topics = ["Language models", "Agents", "Vision", "Efficiency"]
"""
_SECURITY = {465: "tls", 587: "starttls"}
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
    def security(self) -> str:
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


def starter(sender: str, maildir: Path | None, server: Server) -> str:
    """Return the text of a small configuration. TOML's basic strings are JSON strings."""
    if maildir is not None:
        transport = f'transport = "maildir"\n\n[mail.maildir]\npath = {json.dumps(str(maildir))}\n'
    else:
        transport = f"\n[mail.smtp]\nhost = {json.dumps(server.host)}\nport = {server.port}\n"
        if server.security != "none":
            transport += f"security = {json.dumps(server.security)}\n{_LOGIN}"
    return _STARTER.format(sender=json.dumps(sender, ensure_ascii=False), transport=transport)
