"""Finds what a command names: in the configuration, or among the stored editions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from digestmail.errors import DigestmailError

if TYPE_CHECKING:
    from digestmail.app import App

_CONFIGURED: Final = "configured are"
_LISTED: Final = 20
"""How many names an error lists at most."""
_SLOTS: Final = 5


class Named(Protocol):
    """Has a name in the configuration."""

    @property
    def name(self) -> str:
        """The name."""
        ...


NamedValue = TypeVar("NamedValue", bound=Named)


def find_named(kind: str, name: str, known: Sequence[NamedValue]) -> NamedValue:
    """Return the one of `known` that is called `name`. Raises DigestmailError, which lists them; `kind`: "topic"."""
    for one in known:
        if one.name == name:
            return one
    raise unknown_name(kind, name, [one.name for one in known])


def unknown_name(kind: str, name: str, known: Collection[str], *, are: str = _CONFIGURED) -> DigestmailError:
    """Return the error for a name that is not in `known`, with the nearest one and the others."""
    names = [*known]
    if not names:
        none = "the configuration has none" if are == _CONFIGURED else "there are none"
        return DigestmailError(f"there is no {kind} {name!r}: {none}")
    by_lower = {each.lower(): each for each in names}
    near = get_close_matches(name.lower(), by_lower, n=1)
    hint = f"did you mean {by_lower[near[0]]!r}? " if near else ""
    others = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return DigestmailError(f"there is no {kind} {name!r}; {hint}{are}: {', '.join(names[:_LISTED])}{others}")


def check_edition(app: App, digest: str | None, slot: str | None = None, *, notices: bool = False) -> None:
    """Raise DigestmailError, which names what exists, unless there are such a digest and an edition for the slot.

    A digest exists if it is configured or has editions, a name such as `daily@weekly` too. With `notices`, `notice`
    exists, and the kinds of notices are its slots.
    """
    from digestmail.editions import archive
    from digestmail.model.deliveries import NOTICE, NoticeKind

    if digest is not None:
        names = [one.name for one in app.digests]
        names += [one for one in archive.digest_names(app.database) if one not in names]
        names += [NOTICE] if notices else []
        if digest not in names:
            raise unknown_name("digest", digest, names, are="there are")
    kinds = [kind.value for kind in NoticeKind] if notices and digest in {None, NOTICE} else []
    if slot is None or slot in kinds:
        return
    if digest == NOTICE and notices:
        raise unknown_name("kind of notices", slot, kinds, are="there are")
    if not archive.has_slot(app.database, digest, slot):
        slots = archive.last_slots(app.database, digest, _SLOTS)
        said = f"the last are {', '.join(slots)}" if slots else "none was published yet"
        of = "" if digest is None else f" of {digest}"
        raise DigestmailError(f"there is no edition {slot!r}{of}; {said}")
