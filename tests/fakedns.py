"""DNS records in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from digestmail.doctor.dns import Kind, Records


class FakeDns:
    """Records in memory: `zone[name][type]`; a text instead of a list is a problem."""

    def __init__(self, zone: Mapping[str, Mapping[str, Sequence[str] | str]]) -> None:
        self.zone = zone
        self.asked: list[tuple[str, str]] = []

    def look_up(self, name: str, kind: Kind) -> Records:
        self.asked.append((name, kind))
        if name not in self.zone:
            return Records(exists=False)
        found = self.zone[name].get(kind, ())
        return Records(problem=found) if isinstance(found, str) else Records(values=tuple(found))
