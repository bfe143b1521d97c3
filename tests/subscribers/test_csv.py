"""People out to a CSV and in from one, on both databases."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest
from fakes import AGENTS, THURSDAY, VISION, digest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from digestmail.errors import RejectedValueError, SubscriptionError
from digestmail.model.digests import Cadence
from digestmail.model.subscribers import (
    Consent,
    Preferences,
    Subscriber,
    SubscriberState,
    Subscription,
    SuppressionReason,
)
from digestmail.storage import schema, subscribers, suppressions
from digestmail.storage.database import Database
from digestmail.storage.opt_outs import OptOut
from digestmail.subscribers import csv_transfer, data_export, preferences
from digestmail.subscribers.csv_format import COLUMNS, escape_formula, rows_of, unescape_formula
from digestmail.subscribers.csv_import import ImportRow, Reader, RowOutcome
from digestmail.subscribers.csv_transfer import ImportReport, Line

DIGESTS = (digest(topics=(AGENTS, VISION)), digest("weekly", cron="0 7 * * 4"))
AGREED = Consent(source="conference desk", at=THURSDAY - timedelta(days=30))
HEADER = "address,digest,topics,hour,language,timezone,consent_source,consent_at"


def bring(database, *rows: str, header: str = HEADER, consent: Consent | None = AGREED, dry_run: bool = False):
    """Import rows; return the report and the outcome of each line."""
    told: list[Line] = []
    report = csv_transfer.import_people(
        database,
        DIGESTS,
        io.StringIO("\r\n".join([header, *rows]) + "\r\n", newline=""),
        THURSDAY,
        languages=("de", "en"),
        consent=consent,
        dry_run=dry_run,
        tell=told.append,
    )
    return report, [(line.number, line.outcome) for line in told]


def why(database, row: str, **kwargs) -> str:
    """Return why the one row fails."""
    report, _ = bring(database, row, **kwargs)
    (failure,) = report.failures
    return failure.why


def person(database, address="a@example.org"):
    with database.connect() as connection:
        return subscribers.find(connection, address)


def people(database) -> int:
    with database.connect() as connection:
        return connection.execute(select(func.count()).select_from(schema.subscribers)).scalar_one()


def exported(database) -> str:
    out = io.StringIO()
    csv_transfer.export(database, out)
    return out.getvalue()


def test_an_imported_person_has_their_preferences_and_consent(database):
    report, _ = bring(
        database,
        "A@Example.org,daily,Agents,7,de,Europe/Berlin,web form,2026-01-02T03:04:05+01:00",
        "a@example.org,weekly,,,,,web form,2026-01-02",
        "b@example.org,daily,Vision; Agents,,,,,",
    )
    assert report == ImportReport(dry_run=False, added=2, changed=1, skipped=(), failed=0, failures=())
    found = person(database)
    assert found.state is SubscriberState.ACTIVE
    assert found.address == "A@example.org"
    assert found.subscriptions == (
        Subscription(digest="daily", topics=(AGENTS.name,), hour=7),
        Subscription(digest="weekly"),
    )
    assert (found.language, found.timezone, found.consent_source) == ("de", "Europe/Berlin", "web form")
    assert found.consent_at.isoformat() == "2026-01-02T02:04:05+00:00"
    other = person(database, "b@example.org")
    assert (other.consent_source, other.consent_at, other.created_at) == (AGREED.source, AGREED.at, THURSDAY)
    assert other.subscriptions == (Subscription(digest="daily"),)


def test_an_export_can_be_imported_into_an_empty_database(database, tmp_path):
    bring(
        database,
        "+tag@example.org,daily,Agents,7,de,Europe/Berlin,=cmd|' /C calc'!A0,2026-01-02",
        "+tag@example.org,weekly,,,,,=x,2026-01-02",
        'b@example.org,daily,,0,,,"two\nlines, ""quoted""",2026-01-02',
        "gone@example.org,daily,,,,,,",
    )
    preferences.unsubscribe(database, person(database, "gone@example.org").id, None, THURSDAY)
    first = exported(database)
    other = Database.open("sqlite:///other.db", base=tmp_path)
    other.upgrade()
    told: list[Line] = []
    report = csv_transfer.import_people(
        other, DIGESTS, io.StringIO(first, newline=""), THURSDAY, languages=("de",), tell=told.append
    )
    assert (report.added, report.changed, report.skipped) == (2, 1, (("not active in the file", 1),))
    assert person(other, "+tag@example.org").consent_source == "=cmd|' /C calc'!A0"
    kept = [line for line in first.splitlines() if not line.startswith("gone@")]
    assert exported(other).splitlines() == kept
    other.close()


def test_a_cadence_is_exported_and_imported(database, tmp_path):
    bring(database, "a@example.org,daily,Weekly", "b@example.org,daily,", header="address,digest,cadence")
    assert person(database).subscriptions == (Subscription(digest="daily", cadence=Cadence.WEEKLY),)
    first = exported(database)
    other = Database.open("sqlite:///other.db", base=tmp_path)
    other.upgrade()
    csv_transfer.import_people(other, DIGESTS, io.StringIO(first, newline=""), THURSDAY, languages=())
    assert person(other).subscriptions == person(database).subscriptions
    assert exported(other) == first
    other.close()


def test_a_cadence_that_does_not_exist_is_named_with_those_that_do(database):
    said = why(database, "a@example.org,daily,dialy", header="address,digest,cadence")
    assert said == "there is no cadence 'dialy'; there are: weekdays, weekly, monthly"


def test_a_pause_is_exported_and_imported(database, tmp_path):
    until = THURSDAY + timedelta(days=14)
    bring(database, "a@example.org,daily,,,,,,", "a@example.org,weekly,,,,,,", "b@example.org,daily,,,,,,")
    preferences.pause(database, person(database).id, until, THURSDAY)
    first = exported(database)
    other = Database.open("sqlite:///other.db", base=tmp_path)
    other.upgrade()
    csv_transfer.import_people(other, DIGESTS, io.StringIO(first, newline=""), THURSDAY, languages=())
    assert (person(other).paused_until, person(other, "b@example.org").paused_until) == (until, None)
    assert exported(other) == first
    other.close()


@given(st.none() | st.datetimes(datetime(1970, 1, 1), (THURSDAY + timedelta(days=366)).replace(tzinfo=None)))  # noqa: DTZ001 - drawn without, made aware below
def test_any_pause_survives_export_and_import(moment):
    until = moment and moment.replace(tzinfo=UTC)
    paused = Subscriber(
        id=1,
        address="a@example.org",
        state=SubscriberState.ACTIVE,
        created_at=THURSDAY,
        subscriptions=(Subscription(digest="daily"),),
        paused_until=until,
    )
    out = io.StringIO(newline="")
    csv.writer(out).writerows([COLUMNS, *rows_of([paused])])
    reader = Reader(digests=DIGESTS, languages=(), consent=AGREED, now=THURSDAY)
    (wish,) = reader.read(io.StringIO(out.getvalue(), newline=""))
    assert isinstance(wish, ImportRow)
    assert wish.paused_until == until


def test_a_pause_in_a_file_is_not_laid_over_a_subscriber_s_own(database):
    header = "address,digest,paused_until"
    bring(database, "a@example.org,daily,", header=header)
    bring(database, "a@example.org,weekly,2026-05-01", header=header)
    assert person(database).paused_until is None


@pytest.mark.parametrize(
    ("until", "said"),
    [
        ("soon", "paused_until 'soon' is not an ISO 8601 time"),
        ("2027-05-01", "'2027-05-01' is more than a year ahead"),
    ],
)
def test_a_pause_that_makes_no_sense_fails(database, until, said):
    assert said in why(database, f"a@example.org,daily,{until}", header="address,digest,paused_until")


def test_a_spreadsheet_runs_no_cell(database):
    bring(database, "=1+1@example.org,daily,,,,,@SUM(A1),2026-01-02", "b@example.org,daily,,,,,''=2,2026-01-02")
    rows = list(csv.DictReader(io.StringIO(exported(database), newline="")))
    assert [row["address"] for row in rows] == ["'=1+1@example.org", "b@example.org"]
    assert [row["consent_source"] for row in rows] == ["'@SUM(A1)", "''=2"]
    assert all(cell[:1] not in set("=+-@\t\r") for row in rows for cell in row.values())


@given(st.lists(st.text(st.sampled_from("'=+-@\t\r\n,\";aé\0") | st.characters(codec="utf-8")), min_size=1))
def test_cells_survive_escaping(cells):
    out = io.StringIO(newline="")
    csv.writer(out).writerow([escape_formula(cell) for cell in cells])
    (row,) = csv.reader(io.StringIO(out.getvalue(), newline=""), strict=True)
    assert [unescape_formula(cell) for cell in row] == cells
    assert all(cell[:1] not in set("=+-@\t\r") or not cell for cell in row)


def test_an_import_never_restores_suppressed_or_erased_people(database):
    for name in ("left", "bounced", "erased"):
        bring(database, f"{name}@example.org,daily,,,,,,")
    preferences.unsubscribe(database, person(database, "left@example.org").id, None, THURSDAY)
    data_export.erase(database, person(database, "erased@example.org").id, THURSDAY, random_token=lambda: "key")
    with database.begin() as connection:
        suppressions.add(connection, "bounced@example.org", SuppressionReason.BOUNCED, "", THURSDAY)
        suppressions.add(connection, "stranger@example.org", SuppressionReason.OPERATOR, "", THURSDAY)
    before = exported(database)
    report, told = bring(
        database,
        *[f"{name}@Example.org,weekly,,,,,," for name in ("Left", "BOUNCED", "Erased", "stranger", "1")],
        "7@erased.invalid,weekly,,,,,,",
    )
    assert told == [
        (2, RowOutcome.UNSUBSCRIBED),
        (3, RowOutcome.SUPPRESSED),
        (4, RowOutcome.ERASED),
        (5, RowOutcome.SUPPRESSED),
        (6, RowOutcome.ADDED),
        (7, RowOutcome.ERASED),
    ]
    assert report.skipped == (("erased", 2), ("suppressed", 2), ("unsubscribed", 1))
    assert exported(database).startswith(before)


BOTH = Preferences(subscriptions=(Subscription(digest="daily"), Subscription(digest="weekly")))
OLDER, NEWER = "desk,2026-04-01", "desk,2026-04-04"
FRIDAY = THURSDAY + timedelta(days=1)


def later(database, *rows: str, **kwargs):
    """Import rows three days after Thursday; return the outcomes with their reasons."""
    told: list[Line] = []
    csv_transfer.import_people(
        database,
        DIGESTS,
        io.StringIO("\n".join(["address,digest,consent_source,consent_at", *rows]), newline=""),
        THURSDAY + timedelta(days=3),
        languages=(),
        tell=told.append,
        **kwargs,
    )
    return [(line.outcome, line.why) for line in told]


def names(database) -> list[str]:
    return [one.digest for one in person(database).subscriptions]


@pytest.fixture
def reader(database) -> int:
    """Return who gets both digests."""
    bring(database, "a@example.org,daily,,,,,,", "a@example.org,weekly,,,,,,")
    return person(database).id


@pytest.mark.parametrize("way", ["link", "preferences"])
def test_an_import_restores_a_subscription_only_with_newer_consent(database, reader, way):
    if way == "link":
        preferences.unsubscribe(database, reader, "daily", FRIDAY)
    else:
        weekly = Preferences(subscriptions=(Subscription(digest="weekly"),))
        preferences.change(database, DIGESTS, reader, weekly, FRIDAY)
    refused = [(RowOutcome.LEFT, "unsubscribed from daily on 2026-04-03, and the consent is not newer")]
    for dry_run in (True, False):
        assert later(database, f"a@example.org,daily,{OLDER}", dry_run=dry_run) == refused
        assert later(database, f"a@example.org,daily,desk,{FRIDAY.isoformat()}", dry_run=dry_run) == refused
    assert names(database) == ["weekly"]
    for dry_run in (True, False):
        assert later(database, f"a@example.org,daily,{NEWER}", dry_run=dry_run) == [(RowOutcome.CHANGED, "")]
    assert names(database) == ["daily", "weekly"]


def test_after_unsubscribing_from_everything_an_import_needs_newer_consent(database, reader):
    preferences.unsubscribe(database, reader, None, FRIDAY)
    refused = (RowOutcome.UNSUBSCRIBED, "unsubscribed on 2026-04-03, and the consent is not newer")
    assert later(database, f"a@example.org,daily,{OLDER}") == [refused]
    told = later(database, f"a@example.org,daily,{NEWER}", f"a@example.org,weekly,{OLDER}")
    assert told == [
        (RowOutcome.ADDED, ""),
        (RowOutcome.LEFT, "unsubscribed from weekly on 2026-04-03, and the consent is not newer"),
    ]
    found = person(database)
    assert (found.state, found.id, names(database)) == (SubscriberState.ACTIVE, reader, ["daily"])
    assert (found.consent_source, found.consent_at) == ("desk", THURSDAY.replace(hour=0, minute=0) + timedelta(days=2))


def test_leaving_is_remembered_after_coming_back(database, reader):
    preferences.unsubscribe(database, reader, None, FRIDAY)
    bring_back = f"a@example.org,weekly,{NEWER}"
    assert later(database, bring_back, f"a@example.org,daily,{OLDER}")[1][0] is RowOutcome.LEFT
    preferences.unsubscribe(database, reader, None, THURSDAY + timedelta(days=2, hours=12))
    assert later(database, bring_back)[0][0] is RowOutcome.UNSUBSCRIBED


def test_suppressed_people_need_a_lift_and_newer_consent(database, reader):
    with database.begin() as connection:
        suppressions.add(connection, "a@example.org", SuppressionReason.COMPLAINED, "", FRIDAY)
    assert later(database, f"a@example.org,daily,{NEWER}") == [(RowOutcome.SUPPRESSED, "")]
    with database.begin() as connection:
        suppressions.remove(connection, "a@example.org", THURSDAY + timedelta(days=3))
    assert later(database, f"a@example.org,daily,{OLDER}")[0][0] is RowOutcome.UNSUBSCRIBED
    assert later(database, f"a@example.org,daily,{NEWER}") == [(RowOutcome.ADDED, "")]
    assert names(database) == ["daily"]


def test_opt_outs_are_exported_and_erased(database, reader):
    preferences.unsubscribe(database, reader, "daily", FRIDAY)
    assert data_export.export(database, reader).left == (OptOut(digest="daily", opted_out_at=FRIDAY),)
    data_export.erase(database, reader, FRIDAY, random_token=lambda: "key")
    with database.connect() as connection:
        assert connection.execute(select(schema.opt_outs)).all() == []


def test_again_the_same_file_changes_nothing_nor_what_people_chose_since(database):
    rows = ["a@example.org,daily,,,,,,", "A@example.org,daily,Agents,,,,,", "a@example.org,weekly,,,,,,"]
    assert [outcome for _, outcome in bring(database, *rows)[1]] == ["added", "already subscribed", "changed"]
    chosen = Preferences(subscriptions=(Subscription(digest="daily", topics=(VISION.name,)),), language="de")
    preferences.change(database, DIGESTS, person(database).id, chosen, THURSDAY)
    report, told = bring(database, *rows[:2])
    assert {outcome for _, outcome in told} == {RowOutcome.ALREADY}
    assert (report.added, report.changed, report.failed) == (0, 0, 0)
    assert person(database).subscriptions[0].topics == (VISION.name,)


def test_an_import_activates_pending_people_with_its_consent(database):
    with database.begin() as connection:
        subscribers.add_pending(connection, "a@example.org", THURSDAY)
    report, _ = bring(database, "a@example.org,daily,,,de,,,", "b@example.org,daily,,,,,,")
    assert report.added == 2
    found = person(database)
    assert (found.state, found.language, found.consent_source) == (SubscriberState.ACTIVE, "de", AGREED.source)


def test_a_dry_run_reports_everything_and_changes_nothing(database):
    report, told = bring(database, "a@example.org,daily,,,,,,", "x,daily,,,,,,", dry_run=True)
    assert report.dry_run
    assert told == [(2, RowOutcome.ADDED), (3, RowOutcome.FAILED)]
    assert people(database) == 0


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("nobody,daily,,,,,,", "not an email address"),
        (",daily,,,,,,", "not an email address"),
        ("a@example.org,dayly,,,,,,", "no digest 'dayly'"),
        ("a@example.org,,,,,,,", "no digest ''"),
        ("a@example.org,daily,Agnets,,,,,", "no topic 'Agnets'"),
        ("a@example.org,daily,,24,,,,", "hour must be"),
        ("a@example.org,daily,,00007,,,,", "hour must be"),
        ("a@example.org,daily,,-1,,,,", "hour must be"),
        ("a@example.org,daily,,,xx,,,", "there is no language 'xx'"),
        ("a@example.org,daily,,,,Europe/Berlni,,", "did you mean 'Europe/Berlin'?"),
        ("a@example.org,daily,,,,,desk,", "consent_at is missing"),
        ("a@example.org,daily,,,,,,2026-01-01", "consent_source is missing"),
        ("a@example.org,daily,,,,,desk,yesterday", "not an ISO 8601 time"),
        ("a@example.org,daily,,,,,desk,0001-01-01T00:00:00+14:00", "not an ISO 8601 time"),
        ("a@example.org,daily,,,,,desk,2030-01-01", "in the future"),
        ("a@example.org,daily,,,,,a\0b,2026-01-01", "not valid UTF-8"),
        ("a@example.org,daily,,,,,\udce4,2026-01-01", "not valid UTF-8"),
        ("a@example.org,daily", "2 cells"),
        ('a@example.org,"da"ily,,,,,,', "invalid CSV"),
        ("a@example.org,daily,,,,,,," + "x" * 140_000, "invalid CSV"),
    ],
)
def test_a_line_that_is_wrong_fails_alone(database, row, said):
    report, _ = bring(database, row, "", "good@example.org,daily,,,,,,")
    assert said in report.failures[0].why
    assert (report.added, report.failed, people(database)) == (1, 1, 1)


def test_no_one_is_subscribed_without_consent(database):
    assert "consent_source is missing" in why(database, "a@example.org,daily,,,,,,", consent=None)
    assert people(database) == 0


def test_an_unknown_state_fails_and_one_that_is_not_active_is_left_out(database):
    header = "address,digest,state,created_at"
    assert "no state 'asleep'" in why(database, "a@example.org,daily,asleep,", header=header)
    _, told = bring(database, "a@example.org,daily,pending,", "b@example.org,daily,active,2020-01-01", header=header)
    assert told == [(2, RowOutcome.INACTIVE), (3, RowOutcome.ADDED)]
    assert person(database, "b@example.org").created_at.year == 2020


@pytest.mark.parametrize(
    "header",
    ["", "address", "address|digest", "address,digest,name", "address,digest,digest", '"address', "\udcff\udcfe"],
)
def test_an_incomplete_header_stops_the_import(database, header):
    with pytest.raises(SubscriptionError, match="first line must name columns"):
        bring(database, "a@example.org,daily", header=header)


@pytest.mark.parametrize(
    "torn",
    [
        '"torn@example.org,daily,,,,,,',
        'torn@example.org,"daily,,,,,,',
        'torn@example.org,daily,"Agents,,,,,',
        'torn@example.org,daily,,,,,"desk,2026-01-02',
    ],
)
@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_quote_that_is_never_closed_fails_alone(database, torn, count):
    """However many there are: two of them look like one long quoted cell."""
    rows = [row for number in range(count) for row in (torn, f"p{number}@example.org,daily,,,,,,")]
    rows += [f"last{number}@example.org,daily,,,,,," for number in range(30)]
    report, told = bring(database, *rows)
    failed = [number for number, outcome in told if outcome is RowOutcome.FAILED]
    assert failed == [2 + 2 * number for number in range(count)]
    assert report.added == people(database) == count + 30


def test_an_unexpected_error_concerns_one_line_only(database, monkeypatch):
    from digestmail.subscribers import csv_import

    parse = csv_import.normalize_address

    def fail(address: str) -> str:
        if address == "b@example.org":
            raise RecursionError
        return parse(address)

    monkeypatch.setattr(csv_import, "normalize_address", fail)
    report, _ = bring(database, *(f"{name}@example.org,daily,,,,,," for name in "abc"))
    assert (report.added, report.failed) == (2, 1)
    assert report.failures[0].why == "unexpected RecursionError; the log contains details"


def test_many_lines_go_in_pieces(database, monkeypatch):
    monkeypatch.setattr(csv_transfer, "_CHUNK", 7)
    monkeypatch.setattr(csv_transfer, "_MAX_LISTED", 3)
    rows = [f"p{n // 2}@example.org,{'weekly' if n % 2 else 'daily'},,,,,," for n in range(50)]
    report, told = bring(database, *rows, *["x,daily,,,,,,"] * 5)
    assert (report.added, report.changed, report.failed, len(report.failures)) == (25, 25, 5, 3)
    assert [number for number, _ in told] == list(range(2, 57))


@pytest.mark.parametrize(
    ("source", "at"), [("desk", None), (None, THURSDAY), (" ", THURSDAY), ("desk", THURSDAY + timedelta(days=1))]
)
def test_half_a_consent_is_none(source, at):
    with pytest.raises(SubscriptionError):
        csv_transfer.check_consent(source, at, THURSDAY)


def test_a_file_s_line_endings_do_not_matter(database):
    for ending in ("\n", "\r\n", "\r"):
        lines = io.StringIO(
            ending.join(["address,digest", f"{len(ending)}{ord(ending[0])}@example.org,daily"]), newline=""
        )
        report = csv_transfer.import_people(database, DIGESTS, lines, THURSDAY, languages=(), consent=AGREED)
        assert report.added == 1, repr(ending)


@pytest.mark.parametrize(
    "header",
    ["Email;Digest", "E-Mail\tDIGEST", "sep=;\r\naddress;digest", "\ufeffaddress,digest,,", " address , digest "],
)
def test_tables_of_a_spreadsheet_bring_their_people(database, header):
    delimiter = ";" if ";" in header else "\t" if "\t" in header else ","
    ends = delimiter * 2 if header.endswith(",,") else ""
    rows = [
        f"Ada Lovelace <ada@example.org>{delimiter}daily{ends}",
        f'"""Hopper, Grace"" <grace@example.org>"{delimiter} daily {ends}',
        delimiter * (header.count(delimiter)),
    ]
    report, _ = bring(database, *rows, header=header)
    assert (report.added, report.failed) == (2, 0)


def test_a_value_that_the_database_refuses_concerns_one_row_only(database, monkeypatch):
    add = csv_transfer.subscriber_import.add_people

    def refuse(connection, people, now) -> None:
        people = list(people)
        if any(one.address == "p3@example.org" for one in people):
            raise RejectedValueError("value out of range")
        add(connection, people, now)

    monkeypatch.setattr(csv_transfer.subscriber_import, "add_people", refuse)
    report, told = bring(database, *(f"p{number}@example.org,daily,,,,,," for number in range(10)))
    assert (report.added, report.failed, people(database)) == (9, 1, 9)
    assert [number for number, outcome in told if outcome is RowOutcome.FAILED] == [5]
