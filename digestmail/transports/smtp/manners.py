"""Manners: how far commands may run ahead of a server's replies (RFC 2920), learned once per server.

Servers that offer PIPELINING take MAIL, RCPT and DATA of one transaction together. RFC 2920 section 3.1 also lets the
next transaction follow the final dot at once, which halves the round trips, but some servers refuse these commands,
drop them, or accept the message and then hang up without a reply. So the first time is a trial on one connection. Each
later connection proves itself once, one connection at a time, because there may be another machine behind the same
name.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from digestmail.model.deliveries import Manner

TRIAL_AFTER = 100
"""Messages a server takes step by step in a run before the trial: a shorter run gains too little to risk a mail."""
TRIAL_PATIENCE = 10.0
"""Seconds a trial waits for each reply to what went behind the dot: Courier drops it and says nothing."""
_SOFTWARE = re.compile(r"\b([A-Za-z][\w.-]*)[/ ](\d+(?:\.\d+)+)")
"""A name and a version, as in "Exim 4.96" or "Haraka/3.1.0"."""
_DIES = re.compile(r"\bDovecot\b")
"""Dovecot's submission server (2.3.19) aborts when a RCPT waits behind the final dot: the message is relayed, and its
reply is lost. Its LMTP server takes all commands."""


def face(greeting: str, keywords: Iterable[str]) -> str:
    """Return what distinguishes the servers behind one name and is the same on every connection.

    Of the greeting only the software counts: the rest may contain a time or the id of a session.
    """
    software = _SOFTWARE.search(greeting)
    said = [f"{software[1]} {software[2]}"] if software else []
    return " ".join([*said, *sorted(keyword.upper() for keyword in keywords)])[:1000]


def dies_of_it(greeting: str, dialect: str) -> bool:
    """Return whether the server is known to hang up on commands behind the final dot, so that no trial is needed."""
    return dialect == "smtp" and _DIES.search(greeting) is not None


class Manners:
    """What is known of one relay, shared by the connections of one worker. Knows no storage and no clock."""

    def __init__(self, *, trial_after: int = TRIAL_AFTER) -> None:
        """Know nothing yet; ask for a trial when `trial_after` messages were taken step by step."""
        self._trial_after = trial_after
        self._taken: Counter[str] = Counter()
        self._asked: set[str] = set()
        self._post: Callable[[str, Manner], None] = lambda _face, _manner: None
        self.known: dict[str, Manner] = {}
        """The manner of each face."""
        self.trusted: dict[str, Terms] = {}
        """The one connection to each face that may go behind the dot before it has proved itself."""

    def begin(self, found: Mapping[str, Manner], tell: Callable[[str, Manner], None]) -> None:
        """Begin a run with what is on record.

        `tell` is called with each face and what was learned of it; with `trial` it is asked for one, and `allow` is
        the answer.
        """
        self.known = {name: manner for name, manner in found.items() if manner is not Manner.TRIAL}
        self._post = tell
        self._asked.clear()
        self._taken.clear()
        self.trusted.clear()

    def remember(self, found: Mapping[str, Manner]) -> None:
        """Take over what other workers learned, unless it is better than what this one saw."""
        for name, manner in found.items():
            if manner in {Manner.WITHIN, Manner.NEVER} or (manner is Manner.BEHIND_DOT and name not in self.known):
                self.known[name] = manner

    def hear(self, trials: Iterable[str], found: Mapping[str, Manner]) -> None:
        """Hear which trials may begin, and what is on record now."""
        for name in trials:
            self.allow(name)
        self.remember(found)

    def allow(self, name: str) -> None:
        """Let one connection try."""
        self.known.setdefault(name, Manner.TRIAL)

    def meet(self, name: str, *, offered: bool, dies_of_it: bool = False) -> Terms:
        """Return the terms for a new connection to a server with this face, which `offered` PIPELINING."""
        return Terms(self, name, offered=offered, dies_of_it=dies_of_it)

    def turned_out(self, name: str, manner: Manner) -> None:
        """Hear what a server takes."""
        if self.known.get(name) is not manner:
            self.known[name] = manner
            self._post(name, manner)

    def took(self, name: str) -> None:
        """Count a message that was accepted; ask for a trial when there were enough and nothing is known yet."""
        if name in self.known or name in self._asked:
            return
        self._taken[name] += 1
        if self._taken[name] >= self._trial_after:
            self._asked.add(name)
            self._post(name, Manner.TRIAL)


class Terms:
    """What one connection may do."""

    def __init__(self, manners: Manners, name: str, *, offered: bool, dies_of_it: bool) -> None:
        """See `Manners.meet`."""
        self._manners = manners
        self._name = name
        self._offered = offered
        self._dies_of_it = dies_of_it
        self.proven = False
        """Whether this very connection has answered what went behind a final dot."""

    @property
    def _manner(self) -> Manner | None:
        return self._manners.known.get(self._name)

    @property
    def pipelines(self) -> bool:
        """Whether the commands of one transaction may go together."""
        return self._offered and self._manner is not Manner.NEVER

    @property
    def on_trial(self) -> bool:
        """Whether what goes behind the dot shows for the first time that the server takes it at all."""
        return self._manner is Manner.TRIAL and self._manners.trusted.get(self._name) is self

    def may_go_behind(self) -> bool:
        """Return whether commands may go behind the next final dot: on a proven connection, or on one at a time."""
        manner = self._manner
        if manner is Manner.BEHIND_DOT and self.proven:
            return True
        if not self._offered or self._dies_of_it or manner not in {Manner.BEHIND_DOT, Manner.TRIAL}:
            return False
        return self._manners.trusted.setdefault(self._name, self) is self

    def took(self) -> None:
        """Hear that a message was accepted."""
        if self._offered and not self._dies_of_it:
            self._manners.took(self._name)

    def answered(self) -> None:
        """Hear that everything behind a final dot was answered as if it had come later."""
        if not self.proven and self._manner in {Manner.BEHIND_DOT, Manner.TRIAL}:
            self.proven = True
            self._manners.turned_out(self._name, Manner.BEHIND_DOT)
        self.release()

    def refused(self) -> None:
        """Hear that the server did not take what went behind a final dot."""
        self.proven = False
        if self._manner is not Manner.NEVER:
            self._manners.turned_out(self._name, Manner.WITHIN)
        self.release()

    def lost(self) -> None:
        """Hear that the server did not take the commands of one transaction together."""
        self._manners.turned_out(self._name, Manner.NEVER)
        self.release()

    def release(self) -> None:
        """Let another connection try."""
        if self._manners.trusted.get(self._name) is self:
            del self._manners.trusted[self._name]
