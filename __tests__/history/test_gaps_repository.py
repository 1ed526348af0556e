"""The ledger of gaps, read across tickers."""

from sqlalchemy import insert

from cryptomarket.db import Database
from cryptomarket.history.gaps_repository import GapsRepository
from cryptomarket.history.tables import gaps


async def test_the_latest_end_comes_first(database: Database) -> None:
    """Promise: of any ticker, what still went on after the time that was named; and no more than were asked for."""
    rows = [("btc_usd", 10, 20), ("eth_usd", 15, 30), ("btc_usd", 28, 40), ("sol_usd", 1, 25)]
    async with database.begin() as connection:
        for ticker, from_ms, to_ms in rows:
            row = {"ticker": ticker, "from_ms": from_ms, "to_ms": to_ms, "cause": "bus", "state": "recorded"}
            await connection.execute(insert(gaps).values(row))
    repository = GapsRepository(database)
    found = await repository.recent(20, limit=10)
    assert [(gap.ticker, gap.from_ms, gap.to_ms) for gap in found] == [
        ("btc_usd", 28, 40),
        ("eth_usd", 15, 30),
        ("sol_usd", 1, 25),
    ]
    assert await repository.recent(20, limit=2) == found[:2]
    assert await repository.recent(40, limit=10) == []
