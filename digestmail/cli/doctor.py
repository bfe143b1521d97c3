"""`digestmail doctor`: examine what is outside, and print a line for each finding."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from digestmail.cli.options import ConfigPath, Json, Quiet, open_app

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from digestmail.app import App
    from digestmail.doctor.findings import Probe, ProbeFinding
    from digestmail.wiring.doctor import Installation

_SECONDS = 90.0
"""For all probes together, which run side by side."""
_PATIENCE = 60.0
"""How long a test email may take."""


ResolverAddress = Annotated[
    str | None,
    typer.Option(
        "--resolver",
        metavar="ADDRESS[:PORT]",
        help="Ask this DNS server. Default: the system's resolver.",
        show_default=False,
    ),
]
Addresses = Annotated[
    list[str] | None,
    typer.Option(
        metavar="IP",
        help="An address that receivers see. Default: the public addresses of this machine, if it sends by itself.",
        show_default=False,
    ),
]
SendTo = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Also send a test email there. If it arrives in the mailbox of [bounces], it is verified.",
        show_default=False,
    ),
]


def doctor(
    config: ConfigPath = None,
    resolver: ResolverAddress = None,
    address: Addresses = None,
    sources: Annotated[bool, typer.Option("--sources", help="Also read all sources, and store nothing.")] = False,
    send_to: SendTo = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Run `check`, and examine DNS records, mail servers, web pages, clock and disk. Every finding names its remedy."""
    from digestmail.cli import printing
    from digestmail.doctor.findings import Severity
    from digestmail.doctor.run import has_failed, run_probes

    with open_app(config) as app:
        installation = _installation(app, resolver, address or ())
        chosen = list(_probes(app, installation, sources=sources, send_to=send_to))
        findings = run_probes(chosen, seconds=_SECONDS + (_PATIENCE if send_to else 0))
    if json:
        printing.as_json(findings)
    else:
        _show(each for each in findings if not quiet or each.severity in {Severity.WARN, Severity.FAIL})
    if has_failed(findings):
        raise typer.Exit(1)


def _installation(app: App, resolver: str | None, addresses: Iterable[str]) -> Installation:
    from ipaddress import ip_address

    from digestmail.doctor.dns import Resolver
    from digestmail.wiring.doctor import Installation

    try:
        dns = Resolver(resolver)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--resolver") from error
    try:
        named = tuple(str(ip_address(one)) for one in addresses)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--address") from error
    return Installation(
        config=app.config,
        base=app.base,
        database=app.database,
        clock=app.wall_clock,
        tokens=app.tokens,
        signers=app.mail.signers,
        transports=app.transports(),
        dns=dns,
        addresses=named,
    )


def _probes(app: App, installation: Installation, *, sources: bool, send_to: str | None) -> Iterator[Probe]:
    from functools import partial

    from digestmail.doctor.findings import Probe
    from digestmail.wiring.doctor import probes

    yield Probe(name="check", run=partial(_check, app))
    yield from probes(installation)
    if sources:
        yield Probe(name="sources", run=partial(_read_sources, app))
    if send_to is not None:
        yield Probe(name="round-trip", run=partial(_round_trip, app, installation, send_to))


def _check(app: App) -> Iterator[ProbeFinding]:
    """Yield what `digestmail check` says."""
    from digestmail.doctor.findings import fail, ok
    from digestmail.status.check import check

    report = check(app, connect=False)
    yield from (fail("check", problem) for problem in report.problems)
    yield from (ok("check", f"note: {note}") for note in report.notes)
    if not report.problems:
        yield ok("check", "configuration, templates, sources and outbox have no problem")


def _read_sources(app: App) -> Iterator[ProbeFinding]:
    from digestmail.doctor.findings import ok, warn
    from digestmail.model.reports import WELL

    for source in app.collect(dry_run=True).sources:
        state = source.health[0]
        finding = ok if state.health in WELL else warn
        yield finding("sources", f"{source.source}: {state.health}; {state.detail}")


def _round_trip(app: App, installation: Installation, address: str) -> Iterator[ProbeFinding]:

    from digestmail.demo.sample import sample_edition
    from digestmail.doctor.round_trip import probe_round_trip
    from digestmail.preview.test_message import compose_test_message
    from digestmail.selection.segments import for_all_topics
    from digestmail.text.addresses import normalize_address
    from digestmail.text.credentials import new_secret
    from digestmail.transports.single import send_one
    from digestmail.wiring.doctor import returned_mailbox

    edition, label = sample_edition(app.digests[0]), new_secret()
    test = compose_test_message(
        app,
        edition,
        for_all_topics(edition),
        language=None,
        recipient=normalize_address(address),
        now=app.wall_clock.now(),
        label=label,
    )
    envelope = test.envelope._replace(sender=app.config.mail.bounce_address or test.envelope.sender)
    yield from probe_round_trip(
        lambda: str(send_one(installation.transports[0], envelope, test.message).text),
        returned_mailbox(installation),
        test.message_id,
        installation.signers,
        app.wall_clock,
        patience=_PATIENCE,
    )


def _show(findings: Iterable[ProbeFinding]) -> None:
    for finding in findings:
        sys.stdout.write(f"{finding.severity:<4}  {finding.probe}: {finding.text}\n")
        if finding.fix:
            sys.stdout.write(f"      fix: {finding.fix}\n")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)
