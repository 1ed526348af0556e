"""What is removed because it is old: the SQL of retention."""

import re

from sqlalchemy import func, select, text

from cryptomarket.db import SCHEMA, Database, Month, plan_for_values
from cryptomarket.history.replay_repository import ReplayRepository
from cryptomarket.history.tables import price_tickers, removals

LOCK_S = 5
"""How long a month that goes may keep others waiting: who reads the table at that moment is let finish, or it stays."""

_PART = re.compile(r"price_tickers_(\d{4})_(\d{2})")
_row = price_tickers.c


class RetentionRepository:
    """Every call raises DatabaseUnavailable."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._replay = ReplayRepository(db)

    @property
    def has_months(self) -> bool:
        """Whether ticks are divided by months."""
        return not self._db.is_sqlite

    async def months(self) -> list[Month]:
        """The months that have a place of their own, oldest first."""
        if not self.has_months:
            return []
        asked = text(
            "SELECT child.relname FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid "
            "WHERE inhparent = to_regclass(:whole)"
        )
        async with self._db.read() as connection:
            names = (await connection.execute(asked, {"whole": f"{SCHEMA}.price_tickers"})).scalars()
            found = [_PART.fullmatch(name) for name in names]
        return sorted(Month(int(part[1]), int(part[2])) for part in found if part is not None)

    async def drop(self, month: Month) -> int:
        """Drops the place of a month with all that is in it; how many rows that were. Remembers first, in the same
        transaction, up to where something of each epoch is gone. Raises DatabaseUnavailable, too, while others read or
        write the table for longer than `LOCK_S`.
        """
        part = f"{SCHEMA}.price_tickers_{month.year:04}_{month.month:02}"
        of_month = (_row.timestamp_ms >= month.start_ms, _row.timestamp_ms < month.end_ms)
        asked = select(_row.epoch, func.max(_row.seq), func.count()).where(*of_month).group_by(_row.epoch)
        async with self._db.begin() as connection:
            await connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_S}s'"))
            await connection.run_sync(plan_for_values)
            count = 0
            for epoch, seq, rows in (await connection.execute(asked)).all():
                count += rows
                if epoch is not None:
                    known = select(removals.c.seq).where(removals.c.epoch == epoch)
                    former = (await connection.execute(known)).scalar_one_or_none() or 0
                    row = {"epoch": epoch, "seq": max(seq, former)}
                    await self._db.upsert(connection, removals, [row], keys=["epoch"], update=["seq"])
            await connection.execute(text(f"DROP TABLE {part}"))
        return count

    async def oldest_ms(self) -> int | None:
        """The exchange time of the oldest tick."""
        async with self._db.read() as connection:
            found: int | None = (await connection.execute(select(func.min(_row.timestamp_ms)))).scalar_one()
        return found

    async def count_before(self, before_ms: int) -> int:
        """See ReplayRepository.count_before."""
        return await self._replay.count_before(before_ms)

    async def remove_before(self, before_ms: int) -> int:
        """See ReplayRepository.remove_before."""
        return await self._replay.remove_before(before_ms)
