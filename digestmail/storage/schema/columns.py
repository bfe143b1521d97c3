"""The column types that the tables share, and the metadata they belong to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, DateTime, MetaData, Text, event
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_CHARACTERS = 2_000


class Moment(TypeDecorator[datetime]):
    """An aware UTC time: `timestamptz` on PostgreSQL, milliseconds since 1970 on SQLite (six bytes, sortable)."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the column type for the dialect."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(DateTime(timezone=True))
        return dialect.type_descriptor(BigInteger())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Convert an aware time to the stored value; a naive time is a bug and raises `ValueError`."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("naive datetime")
        value = value.astimezone(UTC)
        if dialect.name == "postgresql":
            return value.replace(microsecond=value.microsecond // 1000 * 1000)
        return (value - _EPOCH) // timedelta(milliseconds=1)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Convert the stored value to an aware UTC time."""
        if value is None:
            return None
        if dialect.name == "postgresql":
            moment: datetime = value
            return moment.astimezone(UTC)
        return _EPOCH + timedelta(milliseconds=value)


class UntrustedText(TypeDecorator[str]):
    """Text from outside, such as a server's reply: characters that a database cannot store are replaced.

    If the database refused a record because of a character in the reply, the message would be sent again.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Replace NUL (invalid in PostgreSQL) and lone surrogates (invalid in UTF-8); keep 2,000 characters."""
        return None if value is None else storable_text(value)


def storable_text(text: str) -> str:
    """Return `text` as a `UntrustedText` column stores it."""
    if text.isascii() and "\0" not in text:
        return text[:_MAX_CHARACTERS]
    return text[:_MAX_CHARACTERS].replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def add_conditions(target: MetaData, _connection: object = None, **_: object) -> None:
    """Give indexes the same condition on PostgreSQL that they have on SQLite.

    It is only needed to create tables. An index that names it imports SQLAlchemy's PostgreSQL dialect, in every run.
    """
    for index in (index for table in target.tables.values() for index in table.indexes):
        index.dialect_options["postgresql"]["where"] = index.dialect_options["sqlite"]["where"]


event.listen(metadata, "before_create", add_conditions)


def one_of(column: str, values: type[StrEnum]) -> CheckConstraint:
    """Return the constraint that `column` holds one of the values of an enum."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)
