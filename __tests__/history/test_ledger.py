"""What was missed lately, as operators see it."""

from sqlalchemy import insert

from cryptomarket.clock import Clock
from cryptomarket.db import Database
from cryptomarket.history.ledger import Ledger
from cryptomarket.history.questions import MAX_GAPS
from cryptomarket.history.tables import gaps

NOW_MS = 1_790_165_113_481
HOUR_MS = 3_600_000


async def test_the_last_hours_are_told(database: Database) -> None:
    """Promise: gaps of the hours that were asked for, with the range as understood, and whether there are more."""
    ledger = Ledger(database, Clock(lambda: 0.0, lambda: NOW_MS * 1000))
    async with database.begin() as connection:
        for number in range(MAX_GAPS + 1):
            to_ms = NOW_MS - HOUR_MS // 2 - number
            row = {"ticker": "btc_usd", "from_ms": to_ms - 5, "to_ms": to_ms, "cause": "silence", "state": "recorded"}
            await connection.execute(insert(gaps).values(row))
    told = await ledger.recent(1)
    assert (told.start, told.end) == (NOW_MS - HOUR_MS, NOW_MS)
    assert (told.count, len(told.data), told.truncated) == (MAX_GAPS, MAX_GAPS, True)
    assert told.data[0].to_ms == NOW_MS - HOUR_MS // 2
    assert told.data[0].cause == "silence"
