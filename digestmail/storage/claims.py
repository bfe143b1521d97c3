"""Claims: what one worker does to the messages it holds. The fence says whether it still holds them.

Deliveries and notices live in two tables. The same statements claim, intend and record both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache, partial
from operator import attrgetter, itemgetter
from typing import Any, cast

from sqlalchemy import Connection, Table, select

from digestmail.model.deliveries import Attempted, Claim, ClaimedMessage, Delivery, DeliveryState, Notice, NoticeKind
from digestmail.model.subscribers import SubscriberState
from digestmail.storage.bulk import update_many
from digestmail.storage.schema import (
    Moment,
    attempts,
    deliveries,
    notice_attempts,
    notices,
    storable_text,
    subscribers,
)
from digestmail.storage.upsert import chunks, insert

_STATES = {state.value: state for state in DeliveryState}
# Scalar subqueries, because they are looked up row by row: PostgreSQL turns an EXISTS into a join, and may hash every
# subscriber for the sake of thirty deliveries.
_SUBSCRIBED = """(SELECT true FROM subscribers s
    JOIN editions e ON e.id = {0}.edition_id
    JOIN subscriptions b ON b.digest = e.base AND b.subscriber_id = s.id
    WHERE s.id = {0}.subscriber_id AND s.state = 'active')"""
_NOT_SUPPRESSED = "(SELECT true FROM subscribers s WHERE s.id = {0}.subscriber_id AND s.state <> 'suppressed')"
# A common table expression is evaluated once; PostgreSQL may run a subquery again for each row, past its LIMIT.
_DUE = f"""WITH due AS (SELECT edition_id, subscriber_id, segment_id, picks, state, attempts, fence, queued_at
    FROM deliveries
    WHERE due_at <= {{place}} ORDER BY due_at, segment_id, subscriber_id LIMIT {{place}} {{lock}})
SELECT due.edition_id, due.subscriber_id, due.segment_id, due.picks, due.state, due.attempts, due.fence,
    due.queued_at, people.address, {_SUBSCRIBED.format("due")}
FROM due JOIN subscribers people ON people.id = due.subscriber_id"""  # noqa: S608 - no foreign text in it


class _Outbox:
    """One table of messages, and the statements for it."""

    def __init__(self, table: Table, earlier: Table, key: Mapping[str, str], wanted: str) -> None:
        """`key` maps each column of the key to its column in `earlier`, the table of earlier attempts."""
        self.table = table
        self._earlier = earlier
        self._key = key
        self._identity = attrgetter(*key, "fence")
        self._attempt = attrgetter("attempts", *key, "fence")
        same = " AND ".join(f"d.{column} = t.{column}" for column in key)
        columns = dict.fromkeys((*key, "fence"), "int")
        self._lease_columns = {"until": "timestamptz"} | dict.fromkeys(key, "int")
        # A claimed row is `queued` or `sending`, so that one whose worker died differs from a deferred one that waits.
        self._lease = f"""UPDATE {table.name} AS d SET fence = d.fence + 1, due_at = t.until,
            state = CASE d.state WHEN 'deferred' THEN 'queued' ELSE d.state END FROM {{rows}} WHERE {same}"""  # noqa: S608 - no foreign text in it
        self._intent_columns = {"attempts": "int"} | columns | {"until": "timestamptz"}
        self._intent = f"""UPDATE {table.name} AS d SET state = 'sending', attempts = t.attempts FROM {{rows}}
            WHERE {same} AND d.fence = t.fence AND d.state IN ('queued', 'deferred', 'sending') AND d.due_at > t.until
            AND {wanted.format("d")}"""  # noqa: S608 - no foreign text in it
        self._result_columns = {
            "state": "text",
            "attempts": "int",
            "due_at": "timestamptz",
            "ended_at": "timestamptz",
            "code": "int",
            "text": "text",
            "milliseconds": "int",
        } | columns
        self._result = f"""UPDATE {table.name} AS d SET state = t.state, attempts = t.attempts, due_at = t.due_at,
            ended_at = t.ended_at, code = t.code, text = t.text, milliseconds = t.milliseconds FROM {{rows}}
            WHERE {same} AND d.fence = t.fence AND d.due_at IS NOT NULL"""  # noqa: S608 - as above
        self._reopen_columns = {"due_at": "timestamptz"} | columns
        self._reopen = f"""UPDATE {table.name} AS d SET state = 'deferred', due_at = t.due_at, ended_at = NULL
            FROM {{rows}} WHERE {same} AND d.fence = t.fence AND d.state = 'failed'"""  # noqa: S608 - as above

    def lease(self, connection: Connection, keys: Sequence[tuple[int, ...]], until: datetime) -> None:
        """Raise the fence of the rows with these keys, and move their due time to the end of the lease.

        What was deferred is queued meanwhile.
        """
        moment = Moment().process_bind_param(until, connection.dialect)
        update_many(connection, self._lease, self._lease_columns, [(moment, *key) for key in keys])

    def intend(self, connection: Connection, claimed: Sequence[ClaimedMessage], until: datetime) -> frozenset[Claim]:
        """Return the claims whose intent is recorded."""
        moment = Moment().process_bind_param(until, connection.dialect)
        rows = [(*self._attempt(one), moment) for one in claimed]
        if update_many(connection, self._intent, self._intent_columns, rows) == len(claimed):
            return frozenset(one.claim for one in claimed)
        current = self._current(connection, claimed)
        return frozenset(one.claim for one in claimed if current.get(self._identity(one)) is DeliveryState.SENDING)

    def record(
        self, connection: Connection, results: Sequence[tuple[ClaimedMessage, Attempted]], now: datetime
    ) -> list[ClaimedMessage]:
        """Record results; return the messages of those that another worker holds now, or that were erased."""
        moment = partial(Moment().process_bind_param, dialect=connection.dialect)
        ended_at = moment(now)
        rows = [
            self._values(message, result, moment(result.due_at) if result.due_at is not None else None, ended_at)
            for message, result in results
        ]
        lost: list[ClaimedMessage] = []
        if update_many(connection, self._result, self._result_columns, rows) != len(results):
            current = self._current(connection, [message for message, _ in results])
            lost = [message for message, result in results if current.get(self._identity(message)) is not result.state]
        self._keep_attempts(connection, _without(results, lost), now)
        return lost

    def reopen(self, connection: Connection, failed: Sequence[tuple[ClaimedMessage, Attempted]], now: datetime) -> int:
        """Reopen failed messages; return how many it reopened."""
        moment = partial(Moment().process_bind_param, dialect=connection.dialect)
        rows = [(moment(result.due_at), *self._identity(message)) for message, result in failed]
        reopened = update_many(connection, self._reopen, self._reopen_columns, rows)
        lost: list[ClaimedMessage] = []
        if reopened != len(failed):
            current = self._current(connection, [message for message, _ in failed])
            lost = [message for message, _ in failed if self._identity(message) not in current]
        self._keep_attempts(connection, _without(failed, lost), now)
        return reopened

    def _values(self, message: ClaimedMessage, result: Attempted, due_at: Any, ended_at: Any) -> tuple[Any, ...]:
        return (
            str(result.state),
            message.attempts - (not result.begun),
            due_at,
            ended_at if due_at is None else None,
            result.code,
            storable_text(result.text) or None,
            result.milliseconds,
            *self._identity(message),
        )

    def _keep_attempts(
        self, connection: Connection, results: Sequence[tuple[ClaimedMessage, Attempted]], now: datetime
    ) -> None:
        """Add to the earlier attempts, after the message itself: its row is then locked, and cannot be erased."""
        results = [result for result in results if result[1].kept]
        if not results:
            return
        rows: list[dict[str, Any]] = [
            dict[str, Any](zip(self._key.values(), self._identity(message)[:-1], strict=True))
            | {
                "number": message.attempts,
                "state": result.kept,
                "at": now,
                "code": result.code,
                "text": result.text or None,
                "milliseconds": result.milliseconds,
            }
            for message, result in results
        ]
        connection.execute(insert(connection, self._earlier).on_conflict_do_nothing(), rows)

    def _current(self, connection: Connection, claimed: Sequence[ClaimedMessage]) -> dict[Any, DeliveryState]:
        """Return the state of each claim that is still held, by its key and fence."""
        found: dict[Any, DeliveryState] = {}
        columns = [self.table.c[name] for name in self._key]
        for some in chunks(claimed):
            keys = zip(*(self._identity(one)[:-1] for one in some), strict=True)
            rows = connection.execute(
                select(*columns, self.table.c.fence, self.table.c.state).where(
                    *(column.in_(set(values)) for column, values in zip(columns, keys, strict=True))
                )
            )
            for *key, fence, state in rows:
                found[(*key, fence)] = DeliveryState(state)
        return found


def _without(
    results: Sequence[tuple[ClaimedMessage, Attempted]], lost: Sequence[ClaimedMessage]
) -> Sequence[tuple[ClaimedMessage, Attempted]]:
    gone = {message.claim for message in lost}
    return [result for result in results if result[0].claim not in gone] if gone else results


_DELIVERIES = _Outbox(deliveries, attempts, {"edition_id": "edition_id", "subscriber_id": "subscriber_id"}, _SUBSCRIBED)
_NOTICES = _Outbox(notices, notice_attempts, {"id": "notice_id"}, _NOT_SUPPRESSED)
_OUTBOXES: dict[type[ClaimedMessage], _Outbox] = {Notice: _NOTICES, Delivery: _DELIVERIES}


def claim(
    connection: Connection, now: datetime, lease: timedelta, limit: int, *, only_notices: bool = False
) -> tuple[ClaimedMessage, ...]:
    """Claim at most `limit` messages that are due: notices first, then deliveries, each by due time.

    No other worker gets them before `lease` is over. A claim raises the fence and moves the due time to the end of the
    lease, so that what a dead worker held is due again. The messages are returned with the state they had; in the
    database, what was `deferred` is `queued` while it is claimed. A message that is already `sending` belonged to a
    worker that died while it was sending it, or just before.
    """
    found = _claim_notices(connection, now, now + lease, limit)
    if only_notices or len(found) == limit:
        return tuple(found)
    return (*found, *_claim_deliveries(connection, now, now + lease, limit - len(found)))


def _claim_notices(connection: Connection, now: datetime, until: datetime, limit: int) -> list[ClaimedMessage]:
    n, s = notices.c, subscribers.c
    due = (
        select(n.id).where(n.due_at <= now).order_by(n.due_at, n.id).limit(limit).with_for_update(skip_locked=True)
    ).cte("due")
    columns = (n.id, n.subscriber_id, n.kind, n.content, n.state, n.attempts, n.fence, n.queued_at)
    joined = select(*columns, s.address, s.state.label("standing")).join(subscribers, s.id == n.subscriber_id)
    rows = connection.execute(joined.where(n.id.in_(select(due.c.id)))).all()
    _NOTICES.lease(connection, [(row.id,) for row in rows], until)
    return [
        Notice(
            id=row.id,
            subscriber_id=row.subscriber_id,
            kind=NoticeKind(row.kind),
            content=row.content,
            state=_STATES[row.state],
            attempts=row.attempts + (row.state != DeliveryState.SENDING),
            fence=row.fence + 1,
            queued_at=row.queued_at,
            address=row.content.get("to", row.address),
            wanted=row.standing != SubscriberState.SUPPRESSED,
        )
        for row in sorted(rows, key=lambda row: (row.queued_at, row.id))
    ]


def _claim_deliveries(connection: Connection, now: datetime, until: datetime, limit: int) -> list[ClaimedMessage]:
    moment = Moment()

    @lru_cache(maxsize=8)
    def aware(stored: Any) -> datetime:
        return cast("datetime", moment.process_result_value(stored, connection.dialect))

    postgresql = connection.dialect.name == "postgresql"
    statement = _DUE.format(lock="FOR UPDATE SKIP LOCKED" if postgresql else "", place="%s" if postgresql else "?")
    rows = connection.exec_driver_sql(statement, (moment.process_bind_param(now, connection.dialect), limit)).fetchall()
    _DELIVERIES.lease(connection, [(row[0], row[1]) for row in rows], until)
    return [
        Delivery(
            edition_id=edition_id,
            subscriber_id=subscriber_id,
            segment_id=segment_id,
            picks=picks,
            state=_STATES[state],
            attempts=begun if state == "sending" else begun + 1,
            fence=fence + 1,
            queued_at=aware(queued_at),
            address=address,
            wanted=bool(wanted),
        )
        for edition_id, subscriber_id, segment_id, picks, state, begun, fence, queued_at, address, wanted in sorted(
            rows, key=itemgetter(2, 1)
        )
    ]


def record_intent(connection: Connection, claimed: Sequence[ClaimedMessage], until: datetime) -> frozenset[Claim]:
    """Record the intent to send; return the claims that may be sent. From then on a message may have been transmitted.

    This is the last check before it: the fence must hold, the lease must last beyond `until`, and the subscriber must
    still want the message. Repeating it, after a commit whose answer was lost, gives the same result.
    """
    intended = frozenset[Claim]()
    for kind, outbox in _OUTBOXES.items():
        if some := [one for one in claimed if type(one) is kind]:
            intended |= outbox.intend(connection, some, until)
    return intended


def record(
    connection: Connection, results: Sequence[tuple[ClaimedMessage, Attempted]], now: datetime
) -> tuple[ClaimedMessage, ...]:
    """Record what became of claimed messages; return those that another worker holds now, of which nothing is written.

    An attempt that did not end its message is also kept among the earlier attempts. Repeating it gives the same result.
    """
    lost: list[ClaimedMessage] = []
    for kind, outbox in _OUTBOXES.items():
        if some := [result for result in results if type(result[0]) is kind]:
            lost += outbox.record(connection, some, now)
    return tuple(lost)


def reopen(
    connection: Connection, failed: Sequence[tuple[ClaimedMessage, Attempted]], now: datetime
) -> dict[type[ClaimedMessage], int]:
    """Reopen messages that had failed, and that no one has changed since; return how many of each kind.

    The attempt that had ended them is kept among the earlier attempts. Repeating it changes nothing.
    """
    return {
        kind: outbox.reopen(connection, some, now)
        for kind, outbox in _OUTBOXES.items()
        if (some := [result for result in failed if type(result[0]) is kind])
    }
