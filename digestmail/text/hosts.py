"""Host names and addresses. Pure, without DNS."""

from __future__ import annotations

from ipaddress import ip_address


def is_local(host: str) -> bool:
    """Return whether what is sent to `host` stays on this machine: a local socket, localhost or a loopback address."""
    name = host.strip("[]").rstrip(".").lower()
    if host.startswith("/") or name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
