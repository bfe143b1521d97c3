"""The desk: opens the configuration, finds what is asked for, casts the mail. Opens again what changed on disk."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from digestmail.app import App
from digestmail.clock import Clock
from digestmail.config.load import load
from digestmail.editions import archive
from digestmail.editions.entitlement import Entitlement, entitlement
from digestmail.errors import ConfigError, DigestmailError
from digestmail.mail.addresses import normalised
from digestmail.mail.i18n import templates_directory
from digestmail.model.digests import Digest
from digestmail.model.editions import Edition
from digestmail.model.selection import Section
from digestmail.model.subscribers import Subscriber, SubscriberState
from digestmail.preview.file_watch import fingerprint
from digestmail.preview.options import EVERYBODY, NEXT, SAMPLE, PreviewOptions
from digestmail.preview.test_message import NOBODY, TestMessage, cast_specimen
from digestmail.preview.views import MailProblem, Option, Shown, TestResult, View, nothing_for, remarks_on, take_apart
from digestmail.selection.segments import for_everybody
from digestmail.subscribers import admin
from digestmail.text.counts import counted

_READERS = 200
_EDITIONS = 60


class NotShownError(DigestmailError):
    """What is asked for does not exist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What a look is at."""

    digest: Digest
    edition: Edition
    sections: tuple[Section, ...]
    share: Entitlement | None
    reader: str


class PreviewService:
    """Answers looks, one at a time, whatever thread they come from."""

    def __init__(self, config: Path, clock: Clock, wall_clock: Clock, sample: Callable[[Digest], Edition]) -> None:
        """Open nothing yet. `clock` decides what goes out next; tests are dated by `wall_clock`.

        `sample` makes an edition of the bundled sample for a digest.
        """
        self._config = config
        self._clock = clock
        self._real_clock = wall_clock
        self._sample = sample
        self._lock = threading.RLock()
        self._opened: App | None = None
        self._opened_from = ""
        self._named: tuple[Path, ...] = ()

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._forget()

    def version(self) -> str:
        """Return what changes when a template or the configuration does."""
        with self._lock:
            return fingerprint(self._watched())

    def look(self, asked: PreviewOptions) -> View:
        """Return the page for `asked`. What is broken is said on it."""
        with self._lock:
            # Taken first: what changes while the mail is made is seen as a change at the next glance.
            view = View(asked=asked, version=self.version())
            try:
                app = self._app()
                view = _with_choices(view, app)
                found = self._find(app, view.asked)
                view = replace(view, remarks=remarks_on(found.edition, found.share))
                shown, fault = self._show(app, found)
            except DigestmailError as error:
                return replace(view, fault=_fault(error))
            return replace(view, shown=shown, fault=fault)

    def send(self, asked: PreviewOptions, address: str) -> TestResult:
        """Send the mail that `asked` is a look at to `address`, through the configured transport."""
        try:
            recipient = normalised(address)
            with self._lock:
                app = self._app()
                found = self._find(app, _with_choices(View(asked=asked, version=""), app).asked)
                specimen = self._cast(app, found, recipient)
                with app.transports()[0].open() as session:
                    receipt = session.send(specimen.envelope, specimen.message)
        except DigestmailError as error:
            return TestResult(text=f"Not sent: {error}", good=False)
        return TestResult(text=f"Sent to {recipient}: {receipt.code} {receipt.text}".strip(), good=True)

    # -- what they are made of ----------------------------------------------------------------------------------------

    def _app(self) -> App:
        """Return the app on what stands on disk now. Raises ConfigError.

        It is opened anew for a template too: one that is new in the operator's directory takes the place of a house
        template that is in memory already.
        """
        if self._opened is None or self.version() != self._opened_from:
            self._forget()
            self._opened = App(load(self._config), self._config.parent, self._clock, wall_clock=self._real_clock)
            self._opened_from = self.version()
        return self._opened

    def _watched(self) -> tuple[Path, ...]:
        if self._opened is not None:
            config = self._opened.config
            files = (config.templates_dir, config.mail.smtp.password_file)
            self._named = tuple(self._config.parent / file for file in files if file is not None)
        return (self._config, *self._named, templates_directory())

    def _forget(self) -> None:
        if self._opened is not None:
            self._opened.__exit__()
            self._opened = None

    def _find(self, app: App, asked: PreviewOptions) -> _Found:
        digest = next(digest for digest in app.digests if digest.name == asked.digest)
        edition = self._edition(app, digest, asked.edition)
        reader = _reader(app, asked.reader)
        if reader is None:
            return _Found(digest=digest, edition=edition, sections=for_everybody(edition), share=None, reader=NOBODY)
        share = entitlement(app.database, digest, edition, reader)
        return _Found(digest=digest, edition=edition, sections=share.sections, share=share, reader=reader.address)

    def _edition(self, app: App, digest: Digest, name: str) -> Edition:
        if name == SAMPLE:
            return self._sample(digest)
        if name == NEXT:
            return app.upcoming(digest).edition
        stored = archive.find_edition(app.database, digest.name, name)
        if stored is None:
            raise NotShownError(f"there is no edition {name!r} of {digest.name!r}")
        return stored.edition

    def _show(self, app: App, found: _Found) -> tuple[Shown | None, MailProblem | None]:
        if found.edition.entries and not found.sections:
            return None, nothing_for(found.reader)
        specimen = self._cast(app, found)
        return take_apart(specimen.message, found.sections, specimen.rendered.shortened), None

    def _cast(self, app: App, found: _Found, recipient: str | None = None) -> TestMessage:
        clock = self._clock if recipient is None else self._real_clock
        now = clock.now()
        mark = "preview" if recipient is None else f"test-{now:%Y%m%d%H%M%S%f}"
        return cast_specimen(
            app,
            found.edition,
            found.sections,
            language=found.share.language if found.share else None,
            recipient=recipient or found.reader,
            now=now,
            mark=mark,
        )


def _with_choices(view: View, app: App) -> View:
    """Fill in what there is to choose from, and what is chosen where nothing was."""
    names = [digest.name for digest in app.digests]
    asked = replace(view.asked, digest=view.asked.digest or names[0])
    view = replace(
        view,
        asked=asked,
        digests=tuple(Option(value=digest.name, label=f"{digest.name}: {digest.title}") for digest in app.digests),
        transport=_way_out(app),
    )
    if asked.digest not in names:
        raise NotShownError(f"there is no digest {asked.digest!r}")
    slots = archive.slots(app.database, asked.digest, _EDITIONS)
    people = admin.page(app.database, digest=asked.digest, state=SubscriberState.ACTIVE, limit=_READERS)
    addresses = [person.address for person in people]
    if asked.reader and asked.reader not in addresses:
        addresses.append(asked.reader)
    if not asked.edition:
        (digest,) = (digest for digest in app.digests if digest.name == asked.digest)
        empty = not slots and not app.upcoming(digest).edition.entries
        asked = replace(asked, edition=SAMPLE if empty else NEXT)
    return replace(
        view,
        asked=asked,
        editions=(
            Option(value=NEXT, label="Next: what would go out now"),
            *(Option(value=slot, label=f"{slot}, {counted(papers, 'paper')}") for slot, papers in slots),
            Option(value=SAMPLE, label="The bundled sample"),
        ),
        readers=(
            Option(value=EVERYBODY, label="Everybody: all topics"),
            *(Option(value=address, label=address) for address in addresses),
        ),
    )


def _reader(app: App, address: str) -> Subscriber | None:
    """Return the subscriber with this address; None for everybody."""
    if address == EVERYBODY:
        return None
    return admin.show(app.database, address)


def _way_out(app: App) -> str:
    mail = app.config.mail
    return f"the Maildir {mail.maildir.path}" if mail.transport == "maildir" else f"{mail.smtp.host}:{mail.smtp.port}"


def _fault(error: DigestmailError) -> MailProblem:
    title = "The configuration cannot be used" if isinstance(error, ConfigError) else "The mail cannot be shown"
    return MailProblem(title=title, lines=tuple(str(error).splitlines()))
