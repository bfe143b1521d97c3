"""When a fetch is tried again."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tenacity import RetryCallState, Retrying, retry_if_exception

from digestmail.errors import SourceThrottledError
from digestmail.sources.http.failures import TransientError
from digestmail.sources.http.network import Budget

_MOST_ATTEMPTS = 4


class RetryPolicy:
    """Decides about the attempts of one fetch."""

    def __init__(self, budget: Budget, random: Random) -> None:
        """Allow retries within `budget`; `random` spreads the waits."""
        self._budget = budget
        self._random = random
        self._throttled = False

    def retrying(self, sleep: Callable[[float], None]) -> Retrying:
        """Return tenacity's loop for this policy. It raises the error of the last attempt."""
        return Retrying(
            sleep=sleep, retry=retry_if_exception(_is_retryable), wait=self._wait, stop=self._stop, reraise=True
        )

    def _wait(self, state: RetryCallState) -> float:
        """Return the seconds until the next attempt: what the server asked for, else 0.5-1, 1-2, 2-4."""
        error = _error(state)
        if isinstance(error, SourceThrottledError) and error.retry_after is not None:
            return error.retry_after
        return self._random.uniform(0.5, 1.0) * 2.0 ** (state.attempt_number - 1)

    def _stop(self, state: RetryCallState) -> bool:
        """Stop after the last attempt, after the second throttling, or when the wait would exceed the budget."""
        if isinstance(_error(state), SourceThrottledError):
            if self._throttled:
                return True
            self._throttled = True
        return state.attempt_number >= _MOST_ATTEMPTS or state.upcoming_sleep >= self._budget.left()


def _error(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def _is_retryable(error: BaseException) -> bool:
    """Return whether another attempt makes sense. A blocked host has no status, because no request was sent."""
    if isinstance(error, SourceThrottledError):
        return error.status is not None and error.retry_after is not None
    return isinstance(error, TransientError)
