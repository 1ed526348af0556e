"""What is done for history from time to time: plain functions that whoever keeps the time may call, and call twice."""

from cryptomarket.db import Month
from cryptomarket.history.repository import Repository

MONTHS_AHEAD = 2
_HOUR_MS = 3_600_000


async def make_months(repository: Repository, *, now_ms: int) -> int:
    """Makes the places for ticks of this month and the next ones, where the database divides ticks by month.

    Returns the millisecond at which it is due again: the turn of the month. Raises DatabaseUnavailable.
    """
    month = Month.of(now_ms)
    if month is None:
        return now_ms + _HOUR_MS
    await repository.make_places([month.after(ahead).start_ms for ahead in range(MONTHS_AHEAD + 1)])
    return month.end_ms
