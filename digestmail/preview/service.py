"""`PreviewService`: renders the email that the options select, from the current configuration and templates."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from digestmail.app import App
from digestmail.clock import Clock
from digestmail.config.load import load
from digestmail.editions import archive
from digestmail.editions.announce import announcement_edition
from digestmail.editions.entitlement import Entitlement, entitlement
from digestmail.errors import ConfigError, DigestmailError
from digestmail.mail.announcement_files import load_announcement
from digestmail.mail.template_files import templates_directory
from digestmail.model.digests import Digest, OnEmpty
from digestmail.model.editions import Edition
from digestmail.model.selection import Entry, Section
from digestmail.model.subscribers import Subscriber, SubscriberState
from digestmail.preview.file_watch import fingerprint
from digestmail.preview.options import ALL_TOPICS, ANNOUNCEMENT, NEXT, SAMPLE, PreviewOptions
from digestmail.preview.test_message import EXAMPLE_ADDRESS, TestMessage, compose_test_message
from digestmail.preview.views import (
    MailProblem,
    PreviewedEmail,
    SelectOption,
    TestResult,
    View,
    describe_email,
    no_email_for,
    notes_on,
)
from digestmail.selection.segments import for_all_topics
from digestmail.selection.trending import for_topics
from digestmail.subscribers import admin
from digestmail.text.addresses import normalize_address
from digestmail.text.counts import counted
from digestmail.transports.single import send_one

_READERS = 200
_EDITIONS = 60


class NotShownError(DigestmailError):
    """The requested edition or digest does not exist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Selection:
    """The email that the options select."""

    digest: Digest
    edition: Edition
    sections: tuple[Section, ...]
    entitlement: Entitlement | None
    reader: str


class PreviewService:
    """Renders previews and sends test messages. Calls from several threads are serialized."""

    def __init__(
        self,
        config: Path,
        clock: Clock,
        wall_clock: Clock,
        sample: Callable[[Digest], Edition],
        announcement: Path | None = None,
    ) -> None:
        """Store the settings. `clock` determines the next edition; test messages are dated by `wall_clock`.

        `sample` returns an edition of the bundled sample data for a digest. With `announcement`, a Markdown file, the
        page also offers the email that announces it.
        """
        self._config = config
        self._clock = clock
        self._wall_clock = wall_clock
        self._sample = sample
        self._announcement = announcement
        self._lock = threading.RLock()
        self._opened: App | None = None
        self._opened_version = ""
        self._config_files: tuple[Path, ...] = ()

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._close_app()

    def version(self) -> str:
        """Return a value that changes with the templates and the configuration."""
        with self._lock:
            return fingerprint(self._watched())

    def render(self, options: PreviewOptions) -> View:
        """Return the page for `options`. Errors are shown on the page."""
        with self._lock:
            # The version is taken first, so that a change during rendering is noticed.
            view = View(options=options, version=self.version())
            try:
                app = self._app()
                view = _with_defaults(view, app, self._announcement)
                found = self._find(app, view.options)
                is_skipped = view.options.edition == NEXT and found.digest.on_empty is OnEmpty.SKIP
                view = replace(view, notes=notes_on(found.edition, found.entitlement, is_skipped=is_skipped))
                email, problem = self._show(app, found)
            except DigestmailError as error:
                return replace(view, problem=_problem(error))
            return replace(view, email=email, problem=problem)

    def send(self, options: PreviewOptions, address: str) -> TestResult:
        """Send the email that `options` selects to `address`, through the configured transport."""
        try:
            recipient = normalize_address(address)
            with self._lock:
                app = self._app()
                options = _with_defaults(View(options=options, version=""), app, self._announcement).options
                found = self._find(app, options)
                test_message = self._compose(app, found, recipient)
                receipt = send_one(app.transports()[0], test_message.envelope, test_message.message)
        except DigestmailError as error:
            return TestResult(text=f"Not sent: {error}", good=False)
        return TestResult(text=f"Sent to {recipient}: {receipt.code} {receipt.text}".strip(), good=True)

    def _app(self) -> App:
        """Return the app for the current files. Raises ConfigError.

        It is also reopened when a template changes, because a new template in the operator's directory overrides a
        built-in one that is already loaded.
        """
        if self._opened is None or self.version() != self._opened_version:
            self._close_app()
            self._opened = App(load(self._config), self._config.parent, self._clock, wall_clock=self._wall_clock)
            self._opened_version = self.version()
        return self._opened

    def _watched(self) -> tuple[Path, ...]:
        if self._opened is not None:
            config = self._opened.config
            files = (config.templates_dir, config.mail.smtp.password_file)
            self._config_files = tuple(self._config.parent / file for file in files if file is not None)
        announced = (self._announcement,) if self._announcement else ()
        return (self._config, *self._config_files, *announced, templates_directory())

    def _close_app(self) -> None:
        if self._opened is not None:
            self._opened.__exit__()
            self._opened = None

    def _find(self, app: App, options: PreviewOptions) -> _Selection:
        digest = next(digest for digest in app.digests if digest.name == options.digest)
        edition, pickable = self._edition(app, digest, options.edition)
        reader = _reader(app, options.reader)
        if reader is None:
            return _Selection(
                digest=digest,
                edition=edition,
                sections=for_all_topics(edition),
                entitlement=None,
                reader=EXAMPLE_ADDRESS,
            )
        entitled = entitlement(app.database, digest, edition, reader, pickable)
        edition = replace(edition, trending=for_topics(edition.trending, entitled.topics))
        return _Selection(
            digest=digest, edition=edition, sections=entitled.sections, entitlement=entitled, reader=reader.address
        )

    def _edition(self, app: App, digest: Digest, name: str) -> tuple[Edition, tuple[Entry, ...]]:
        """Return an edition, and the papers that may be picked for its readers if it is not published yet."""
        if name == SAMPLE:
            return self._sample(digest), ()
        if name == NEXT:
            composed = app.upcoming(digest)
            return composed.edition, composed.pickable
        if name == ANNOUNCEMENT and self._announcement is not None:
            return announcement_edition(digest, load_announcement(self._announcement), self._clock.now()), ()
        stored = archive.find_edition(app.database, digest.name, name)
        if stored is None:
            raise NotShownError(f"there is no edition {name!r} of {digest.name!r}")
        return stored.edition, ()

    def _show(self, app: App, found: _Selection) -> tuple[PreviewedEmail | None, MailProblem | None]:
        if found.edition.entries and not found.sections:
            return None, no_email_for(found.reader)
        test_message = self._compose(app, found)
        return describe_email(test_message.message, found.sections, test_message.rendered.shortened), None

    def _compose(self, app: App, found: _Selection, recipient: str | None = None) -> TestMessage:
        clock = self._clock if recipient is None else self._wall_clock
        now = clock.now()
        label = "preview" if recipient is None else f"test-{now:%Y%m%d%H%M%S%f}"
        return compose_test_message(
            app,
            found.edition,
            found.sections,
            language=found.entitlement.language if found.entitlement else None,
            recipient=recipient or found.reader,
            now=now,
            label=label,
        )


def _with_defaults(view: View, app: App, announcement: Path | None) -> View:
    """Fill in the available choices, and the defaults of options that are not set."""
    names = [digest.name for digest in app.digests]
    options = replace(view.options, digest=view.options.digest or names[0])
    view = replace(
        view,
        options=options,
        digests=tuple(
            SelectOption(value=digest.name, label=f"{digest.name}: {digest.title}") for digest in app.digests
        ),
        transport=_transport_name(app),
    )
    if options.digest not in names:
        raise NotShownError(f"there is no digest {options.digest!r}")
    slots = archive.slots(app.database, options.digest, _EDITIONS)
    people = admin.page(app.database, digest=options.digest, state=SubscriberState.ACTIVE, limit=_READERS)
    addresses = [person.address for person in people]
    if options.reader and options.reader not in addresses:
        addresses.append(options.reader)
    if not options.edition:
        (digest,) = (digest for digest in app.digests if digest.name == options.digest)
        empty = not slots and not app.upcoming(digest).edition.entries
        options = replace(options, edition=SAMPLE if empty else NEXT)
    return replace(
        view,
        options=options,
        editions=(
            *((SelectOption(value=ANNOUNCEMENT, label=f"Announcement: {announcement.name}"),) if announcement else ()),
            SelectOption(value=NEXT, label="Next: what would be sent now"),
            *(SelectOption(value=slot, label=f"{slot}, {counted(papers, 'paper')}") for slot, papers in slots),
            SelectOption(value=SAMPLE, label="Sample edition"),
        ),
        readers=(
            SelectOption(value=ALL_TOPICS, label="All topics"),
            *(SelectOption(value=address, label=address) for address in addresses),
        ),
    )


def _reader(app: App, address: str) -> Subscriber | None:
    """Return the subscriber with this address, or None for all topics."""
    if address == ALL_TOPICS:
        return None
    return admin.show(app.database, address)


def _transport_name(app: App) -> str:
    mail = app.config.mail
    return f"the Maildir {mail.maildir.path}" if mail.transport == "maildir" else f"{mail.smtp.host}:{mail.smtp.port}"


def _problem(error: DigestmailError) -> MailProblem:
    title = "The configuration is invalid" if isinstance(error, ConfigError) else "The email cannot be shown"
    return MailProblem(title=title, lines=tuple(str(error).splitlines()))
