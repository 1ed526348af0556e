"""Candles of stored prices, on both databases."""

from decimal import Decimal

from __tests__.history.test_upkeep import streamed
from __tests__.history.world import NOW_MS
from cryptomarket.db import Database
from cryptomarket.history.folding import folded
from cryptomarket.history.look_repository import Look
from cryptomarket.history.reach import NOWHERE
from cryptomarket.history.repository import Repository
from cryptomarket.market.candles import Candle, Resolution

HOUR_MS = 3_600_000


async def test_the_rows_of_a_range_are_its_candles(database: Database, repository: Repository) -> None:
    """Promise: what lies in [start, end) is folded, the last candle too, and nothing beside; an empty hour has none."""
    start_ms = NOW_MS - NOW_MS % HOUR_MS
    times_ms = [start_ms - 1, start_ms, start_ms + 1, start_ms + 3 * HOUR_MS - 1, start_ms + 3 * HOUR_MS]
    await streamed(database, repository, *times_ms)

    def fold(look: Look) -> list[Candle]:
        newest_id = look.extent("btc_usd", stored_up_to=NOWHERE).newest_id
        return folded(look, "btc_usd", Resolution.HOUR_1, start_ms, start_ms + 3 * HOUR_MS, newest_id=newest_id)

    first, last = await repository.look(fold)
    assert (first.start_ms, first.open, first.close, first.ticks) == (start_ms, Decimal(102), Decimal(103), 2)
    assert (last.start_ms, last.open, last.ticks) == (start_ms + 2 * HOUR_MS, Decimal(104), 1)
