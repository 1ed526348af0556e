"""Ten million ticks of the past, put into an empty store by the database's own hands."""

# ruff: noqa: S608 - the words are our own

import asyncio
import sqlite3
from dataclasses import dataclass

import asyncpg
from sqlalchemy.engine import make_url

from cryptomarket.db import Database
from cryptomarket.history.tables import price_tickers

# Monday, the fifth of January 2026: all of it is over before anybody asks.
BEGINS_MS = 1_767_571_200_000
STEP_MS = 100
INDICES = ("btc_usd", "eth_usd", "sol_usdc", "xrp_usdc")
INSTRUMENT = "BTC_USDC"
# Always collected by default, too: once a minute, beside the stream.
COLLECTED = ("btc_usd", "eth_usd")
_MINUTE_MS, _COLLECTED_AT_MS = 60_000, 30_006
EPOCH = "019b8a0d7c0000a1b2"
SUMMARY = (
    '{"state":"open","last_price":85500.12,"mark_price":85499.9012,"index_price":85501.33,"best_bid_price":85499.5,'
    '"best_bid_amount":0.125,"best_ask_price":85500.5,"best_ask_amount":1.75,"min_price":84216.01,"max_price":86784.2,'
    '"open_interest":null,"settlement_price":null,"estimated_delivery_price":85501.33,"stats":{"high":87001,"low":84002,'
    '"volume":11.5312,"volume_usd":985930.12,"volume_notional":985930.12,"price_change":-0.0120}}'
)
_COLLECTED_ROW = f"{BEGINS_MS} + {_COLLECTED_AT_MS} + i * {_MINUTE_MS}"
_INDEX = "ix_price_tickers_lines"
_COLUMNS = "ticker, epoch, seq, prev_seq, source, kind, instrument_name, timestamp_ms, received_us, published_us, price"


@dataclass(frozen=True)
class Past:
    """So many rows of four indices in turn, and a fiftieth as many of an instrument, from BEGINS_MS on; and, beside
    these, what is collected each minute.
    """

    rows: int

    @property
    def each(self) -> int:
        """Rows of one index, `spacing_ms` apart."""
        return self.rows // len(INDICES)

    @property
    def spacing_ms(self) -> int:
        return STEP_MS * len(INDICES)

    @property
    def of_instrument(self) -> int:
        """Rows of the instrument, as far apart."""
        return self.rows // 50

    def end_ms(self, rows: int) -> int:
        """Where a range from BEGINS_MS on ends that has so many rows of one ticker."""
        return BEGINS_MS + rows * self.spacing_ms

    @property
    def minutes(self) -> int:
        """Rows that are collected of one index."""
        return self.told(self.each) - self.each

    def told(self, rows: int) -> int:
        """All rows of a collected index in a range from BEGINS_MS on with so many rows of the stream."""
        return rows + len(range(_COLLECTED_AT_MS, rows * self.spacing_ms, _MINUTE_MS))

    def fill(self, url: str) -> None:
        """Puts it all into the migrated, empty database of a gateway that does not run."""
        if make_url(url).get_backend_name() == "sqlite":
            self._fill_sqlite(str(make_url(url).database))
        else:
            asyncio.run(self._fill_postgresql(url))

    def _fill_sqlite(self, path: str) -> None:
        connection = sqlite3.connect(path, isolation_level=None)
        names = " ".join(f"WHEN {place} THEN '{name}'" for place, name in enumerate(INDICES))
        # Nothing is lost that could not be made again.
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-400000"):
            connection.execute(f"PRAGMA {pragma}")
        (made,) = connection.execute("SELECT sql FROM sqlite_schema WHERE name = ?", (_INDEX,)).fetchone()
        connection.execute(f"DROP INDEX {_INDEX}")
        connection.execute("BEGIN")
        last, first = self.rows - 1, self.rows
        numbers = f"n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {last})"
        row = f"i, CASE i % {len(INDICES)} {names} END, {BEGINS_MS} + i * {STEP_MS}, 'index', NULL"
        self._insert_sqlite(connection, numbers, row)
        last = self.rows + self.of_instrument - 1
        numbers = f"n(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last})"
        row = f"i, '{INSTRUMENT}', {BEGINS_MS} + (i - {first}) * {self.spacing_ms}, 'spot', '{SUMMARY}'"
        self._insert_sqlite(connection, numbers, row)
        for name in COLLECTED:
            connection.execute(
                f"INSERT INTO crypto_price_tickers ({_COLUMNS})"
                f" WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n LIMIT {self.minutes}),"
                f" r(i, ms) AS (SELECT i, {_COLLECTED_ROW} FROM n)"
                f" SELECT '{name}', NULL, NULL, NULL, 'collected', 'index', '{name}', ms, ms * 1000 + 250, NULL,"
                f" printf('%d.%02d', 85000 + i % 1997, i % 97) FROM r"
            )
        connection.execute("COMMIT")
        connection.execute(made)
        connection.execute("ANALYZE")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.close()

    def _insert_sqlite(self, connection: sqlite3.Connection, numbers: str, row: str) -> None:
        connection.execute(
            f"INSERT INTO crypto_price_tickers ({_COLUMNS}, summary)"
            f" WITH RECURSIVE {numbers}, r(i, t, ms, k, s) AS (SELECT {row} FROM n)"
            f" SELECT t, '{EPOCH}', i + 1, CASE WHEN i >= {len(INDICES)} THEN i - {len(INDICES) - 1} END, 'stream',"
            f" k, t, ms, ms * 1000 + 250, ms * 1000 + 300, printf('%d.%02d', 85000 + i % 1997, i % 97), s FROM r"
        )

    async def _fill_postgresql(self, url: str) -> None:
        database = Database(url)
        await database.make_partitions(price_tickers, range(BEGINS_MS, self.end_ms(self.each) + 1, 86_400_000))
        await database.close()
        connection = await asyncpg.connect(url, server_settings={"jit": "off", "work_mem": "256MB"})
        await connection.execute("SET maintenance_work_mem = '512MB'")
        names = ", ".join(f"'{name}'" for name in INDICES)
        indices = f"SELECT i, (ARRAY[{names}])[i % {len(INDICES)} + 1], {BEGINS_MS} + i * {STEP_MS}, 'index', NULL"
        one = f"SELECT i, '{INSTRUMENT}', {BEGINS_MS} + (i - {self.rows}) * {self.spacing_ms}, 'spot', '{SUMMARY}'"
        for first, rows, words in ((0, self.rows, indices), (self.rows, self.of_instrument, one)):
            await connection.execute(
                f"INSERT INTO crypto.price_tickers ({_COLUMNS}, summary)"
                f" SELECT t, '{EPOCH}', i + 1, CASE WHEN i >= {len(INDICES)} THEN i - {len(INDICES) - 1} END, 'stream',"
                f" k, t, ms, ms * 1000 + 250, ms * 1000 + 300,"
                f" ((85000 + i % 1997)::text || '.' || lpad((i % 97)::text, 2, '0'))::numeric, s"
                f" FROM ({words} FROM generate_series({first}::bigint, {first + rows - 1}) AS n(i))"
                f" AS r(i, t, ms, k, s)"
            )
        for name in COLLECTED:
            await connection.execute(
                f"INSERT INTO crypto.price_tickers ({_COLUMNS})"
                f" SELECT '{name}', NULL, NULL, NULL, 'collected', 'index', '{name}', ms, ms * 1000 + 250, NULL,"
                f" ((85000 + i % 1997)::text || '.' || lpad((i % 97)::text, 2, '0'))::numeric"
                f" FROM (SELECT i, {_COLLECTED_ROW} FROM generate_series(0::bigint, {self.minutes - 1}) AS n(i))"
                f" AS r(i, ms)"
            )
        # As a server that has stood for a while would have done by itself.
        await connection.execute("VACUUM ANALYZE crypto.price_tickers")
        await connection.execute("CHECKPOINT")
        await connection.close()
