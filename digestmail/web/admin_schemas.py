"""The JSON of the admin API and of webhooks: subscribers, suppressions and events."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from pydantic import Field

from digestmail.bounces.processor import BouncesReport
from digestmail.model.digests import Cadence
from digestmail.model.subscribers import Subscriber, SubscriberState, SuppressionReason
from digestmail.web.schemas import ApiModel


class SubscriptionOut(ApiModel):
    """A subscription. An empty list of topics means all topics."""

    digest: str
    topics: list[str]
    hour: int | None
    cadence: Cadence | None
    """How often they get it; null means every edition."""


class SubscriberOut(ApiModel):
    """A subscriber and their subscriptions."""

    id: int
    address: str
    state: SubscriberState
    created_at: datetime
    subscriptions: list[SubscriptionOut]

    @classmethod
    def of(cls, subscriber: Subscriber) -> Self:
        """Convert `subscriber`."""
        return cls(
            id=subscriber.id,
            address=subscriber.address,
            state=subscriber.state,
            created_at=subscriber.created_at,
            subscriptions=[
                SubscriptionOut(digest=one.digest, topics=list(one.topics), hour=one.hour, cadence=one.cadence)
                for one in subscriber.subscriptions
            ],
        )


class Subscribers(ApiModel):
    """Subscribers, oldest first. `next` is the URL of the next page."""

    items: list[SubscriberOut]
    next: str | None


class SuppressionOut(ApiModel):
    """A suppressed address. `key` is the casefolded address, or a hash if the person was erased."""

    key: str
    reason: SuppressionReason
    detail: str
    created_at: datetime


class Suppressions(ApiModel):
    """Suppressions, newest first. `next` is the URL of the next page."""

    items: list[SuppressionOut]
    next: str | None


Address = Annotated[str, Field(min_length=3, max_length=254)]


class NewSubscription(ApiModel):
    """A subscription to add. It is active immediately, so the operator must have the person's consent."""

    address: Address
    digest: Annotated[str, Field(max_length=40)]
    topics: list[Annotated[str, Field(max_length=200)]] = Field(default=[], max_length=100)


class NewSuppression(ApiModel):
    """An address to suppress, with an optional note."""

    address: Address
    detail: Annotated[str, Field(max_length=500)] = ""


class EventsAccepted(ApiModel):
    """The result of a provider's request. Each event counts once."""

    recorded: int
    """New bounces and complaints."""
    repeated: int
    unknown: int
    """About unknown subscribers."""
    skipped: int
    """Of a kind that does not count, or unreadable."""

    @classmethod
    def of(cls, report: BouncesReport, unreadable: int) -> Self:
        """Convert `report` and the number of unreadable events."""
        recorded = report.hard + report.soft + report.complaints
        return cls(
            recorded=recorded,
            repeated=report.repeated,
            unknown=report.unmatched,
            skipped=report.read - recorded - report.repeated - report.unmatched + unreadable,
        )
