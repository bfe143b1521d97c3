"""Tells the operator about problems: by email, and by the outputs that `[alerts]` names."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from html import escape
from typing import TYPE_CHECKING, Final

from digestmail.errors import DigestmailError
from digestmail.model.deliveries import Envelope, Rendered
from digestmail.model.reports import RunReport, Stop, never

if TYPE_CHECKING:
    from digestmail.app import App
    from digestmail.config.alerts import AlertsTable
    from digestmail.outputs.base import Alert
    from digestmail.status.incidents import News

log = logging.getLogger("digestmail.alerts")

_TITLE: Final = "digestmail"


def run_with_alerts(app: App, *, outputs: bool = True, stop: Stop = never) -> RunReport:
    """Collect, publish and deliver; then announce problems, also if an error ends the run."""
    try:
        return app.run(outputs=outputs, stop=stop)
    finally:
        send_alerts(app)


def send_alerts(app: App) -> None:
    """Look for problems, and announce those that last, and those that are over. Never raises for a failed alert.

    An incident counts as announced when one of the ways worked; otherwise it is announced with the next run.
    """
    table = app.config.alerts
    if table is None:
        return
    try:
        with app.database.lock("alerts") as held:
            if held:
                _send_alerts(app, table)
    except DigestmailError as error:
        log.warning("alerts were not sent: %s", error)


def _send_alerts(app: App, table: AlertsTable) -> None:
    from digestmail.status.check import check
    from digestmail.status.incidents import follow, is_quiet
    from digestmail.storage import incidents

    problems = check(app, connect=False, thorough=False).problems
    now = app.wall_clock.now()
    quiet = is_quiet(table.quiet(), table.timezone, now)
    with app.database.begin() as connection:
        known = incidents.list_all(connection)
        news = follow(known, problems, now, after=timedelta(minutes=table.after_minutes), is_quiet=quiet)
        incidents.replace_all(connection, news.kept)
    if (news.began or news.ended) and _announce(app, table, news):
        with app.database.begin() as connection:
            incidents.replace_all(connection, news.kept_when_announced)


def _announce(app: App, table: AlertsTable, news: News) -> bool:
    """Announce news in every way; return whether one of them worked."""
    from digestmail.outputs.base import Alert

    alert = Alert(
        token=secrets.token_hex(12),
        sent_at=app.wall_clock.now(),
        began=tuple(one.text for one in news.began),
        ended=tuple(one.text for one in news.ended),
    )
    has_worked = False
    for name, send in _ways(app, table):
        try:
            send(alert)
        except DigestmailError as error:
            log.warning("an alert was not sent by %s: %s", name, error)
        else:
            has_worked = True
    return has_worked


def _ways(app: App, table: AlertsTable) -> Iterator[tuple[str, Callable[[Alert], object]]]:
    """Yield the name of each way to the operator, and what sends an alert on it."""
    if table.to is not None:
        yield "email", partial(_mail, app, table.to)
    if table.outputs:
        from digestmail.outputs.attempt import attempt_alert

        for name, output in app.outputs().for_alerts(table.outputs):
            yield f"output {name}", partial(attempt_alert, output)


def _mail(app: App, to: str, alert: Alert) -> None:
    """Send an alert by email, over the fallback if there is one: the first server may be the problem."""
    from digestmail.mail.header_fields import split_mailbox
    from digestmail.transports.single import send_one

    recipient = split_mailbox(to)[1]
    rendered = Rendered(
        subject=alert.subject,
        html="".join(f"<p>{escape(line)}</p>\n" for line in alert.lines),
        text="\n\n".join(alert.lines) + "\n",
    )
    message = app.mail.notice_message(rendered, _TITLE).personalize(
        recipient=recipient,
        message_id=f"<alert.{alert.token}@{app.mail.sender.domain}>",
        date=alert.sent_at,
    )
    *others, last = reversed(app.transports())
    envelope = Envelope(sender=app.config.mail.sender_address, recipient=recipient)
    for transport in others:
        try:
            send_one(transport, envelope, message)
        except DigestmailError as error:
            log.info("an alert was not accepted by %s: %s", transport.name, error)
        else:
            return
    send_one(last, envelope, message)
