"""The only SQL of saved sets."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from cryptomarket.db import Database
from cryptomarket.errors import Impossible
from cryptomarket.live.follow import SavedSet, SavedTicker
from cryptomarket.live.tables import person_prices, person_sets
from cryptomarket.market.position import Position
from cryptomarket.market.wire import Change, Publication, SetChange

UNPLACED_AT_ONCE = 1000
USERS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class SavedSince:
    """A ticker of a saved set and the millisecond since when it is in it."""

    ticker: str
    subscribed_ms: int


@dataclass(frozen=True, slots=True)
class Added:
    """Whether a ticker is new in a set, and the change to publish: also for one that was kept but never published."""

    created: bool
    change: SetChange | None


class SavedSetRepository:
    """Saved sets in the database. Each change takes the next version of its user's set in the same transaction."""

    def __init__(self, db: Database, *, tickers_limit: int) -> None:
        self._db = db
        self._tickers_limit = tickers_limit

    async def saved_set(self, user_id: str) -> SavedSet:
        """The user's set as of its version."""
        async with self._db.read() as connection:
            version = (
                await connection.execute(select(person_sets.c.version).where(person_sets.c.user_id == user_id))
            ).scalar_one_or_none()
            rows = await connection.execute(
                select(person_prices.c.ticker, person_prices.c.epoch, person_prices.c.seq)
                .where(person_prices.c.user_id == user_id)
                .order_by(person_prices.c.ticker)
            )
            tickers = [
                SavedTicker(ticker, Position(epoch, seq) if epoch is not None else None) for ticker, epoch, seq in rows
            ]
        return SavedSet(tickers, version or 0)

    async def versions(self, users: Collection[str]) -> dict[str, int]:
        """The versions of these users' sets, of those who have one."""
        asked, found = sorted(users), dict[str, int]()
        async with self._db.read() as connection:
            for at in range(0, len(asked), USERS_AT_ONCE):
                of_these = select(person_sets.c.user_id, person_sets.c.version).where(
                    person_sets.c.user_id.in_(asked[at : at + USERS_AT_ONCE])
                )
                found.update((user_id, version) for user_id, version in await connection.execute(of_these))
        return found

    async def tickers(self, user_id: str) -> list[SavedSince]:
        """The user's tickers by name, and since when."""
        async with self._db.read() as connection:
            return [SavedSince(*row) for row in await _rows_of(connection, user_id)]

    async def add(self, user_id: str, ticker: str, now_ms: int) -> Added:
        """Adds a ticker. Raises Impossible when the set is full."""
        async with self._db.begin() as connection:
            version = await self._next_version(connection, user_id, now_ms)
            had = [row[0] for row in await _rows_of(connection, user_id)]
            if ticker in had:
                change = SetChange(user_id, Change.SUBSCRIBED, ticker, tuple(had), version)
                return Added(False, None if await _is_placed(connection, user_id, ticker) else change)
            if len(had) >= self._tickers_limit:
                raise Impossible(f"A person subscribes to at most {self._tickers_limit} tickers.", field="ticker")
            await self._db.upsert(
                connection,
                person_prices,
                [{"user_id": user_id, "ticker": ticker, "subscribed_ms": now_ms, "epoch": None, "seq": None}],
                keys=["user_id", "ticker"],
            )
        return Added(True, SetChange(user_id, Change.SUBSCRIBED, ticker, tuple(sorted([*had, ticker])), version))

    async def remove(self, user_id: str, tickers: Collection[str] | None, now_ms: int) -> list[SetChange]:
        """Takes these tickers out, or all. One change for each that was there."""
        async with self._db.begin() as connection:
            version = await self._next_version(connection, user_id, now_ms)
            left = [row[0] for row in await _rows_of(connection, user_id)]
            gone = [ticker for ticker in left if tickers is None or ticker in tickers]
            changes = []
            for at, ticker in enumerate(gone):
                left.remove(ticker)
                changes.append(SetChange(user_id, Change.UNSUBSCRIBED, ticker, tuple(left), version + at))
            if gone:
                await connection.execute(
                    delete(person_prices).where(person_prices.c.user_id == user_id, person_prices.c.ticker.in_(gone))
                )
                await connection.execute(
                    update(person_sets).where(person_sets.c.user_id == user_id).values(version=version + len(gone) - 1)
                )
        return changes

    async def _next_version(self, connection: AsyncConnection, user_id: str, now_ms: int) -> int:
        # The update comes first: it locks the user's row, so that two changes of one set take turns.
        await self._db.upsert(
            connection, person_sets, [{"user_id": user_id, "version": 0, "seen_ms": now_ms}], keys=["user_id"]
        )
        await connection.execute(
            update(person_sets)
            .where(person_sets.c.user_id == user_id)
            .values(version=person_sets.c.version + 1, seen_ms=now_ms)
        )
        row = await connection.execute(select(person_sets.c.version).where(person_sets.c.user_id == user_id))
        return int(row.scalar_one())

    async def placed(self, publication: Publication, change: SetChange) -> None:
        """Notes the position at which a subscription was published."""
        async with self._db.begin() as connection:
            await connection.execute(
                update(person_prices)
                .where(person_prices.c.user_id == change.user_id, person_prices.c.ticker == change.ticker)
                .where(person_prices.c.seq.is_(None))
                .values(epoch=publication.position.epoch, seq=publication.seq)
            )

    async def unplaced(self, *, before_ms: int) -> list[SetChange]:
        """The subscriptions made before then whose publication was never noted, each with its user's set as it is."""
        async with self._db.read() as connection:
            rows = await connection.execute(
                select(person_prices.c.user_id, person_prices.c.ticker, person_sets.c.version)
                .join(person_sets, person_sets.c.user_id == person_prices.c.user_id)
                .where(person_prices.c.seq.is_(None), person_prices.c.subscribed_ms < before_ms)
                .limit(UNPLACED_AT_ONCE)
            )
            return [
                SetChange(user_id, Change.SUBSCRIBED, ticker, await _tickers_of(connection, user_id), version)
                for user_id, ticker, version in rows.all()
            ]

    async def seen(self, users: Collection[str], now_ms: int) -> None:
        """These users were here: their sets count as demand from now on."""
        async with self._db.begin() as connection:
            await self._db.upsert(
                connection,
                person_sets,
                [{"user_id": user_id, "version": 0, "seen_ms": now_ms} for user_id in users],
                keys=["user_id"],
                update=["seen_ms"],
            )

    async def demanded(self, since_ms: int) -> frozenset[str]:
        """The union of the sets of users who were seen since then."""
        async with self._db.read() as connection:
            rows = await connection.execute(
                select(person_prices.c.ticker)
                .join(person_sets, person_sets.c.user_id == person_prices.c.user_id)
                .where(person_sets.c.seen_ms >= since_ms)
                .distinct()
            )
            return frozenset(row[0] for row in rows)

    async def count(self) -> int:
        """How many subscriptions are saved in all."""
        async with self._db.read() as connection:
            return int((await connection.execute(select(func.count()).select_from(person_prices))).scalar_one())


async def _tickers_of(connection: AsyncConnection, user_id: str) -> tuple[str, ...]:
    return tuple(row[0] for row in await _rows_of(connection, user_id))


async def _is_placed(connection: AsyncConnection, user_id: str, ticker: str) -> bool:
    row = await connection.execute(
        select(person_prices.c.seq).where(person_prices.c.user_id == user_id, person_prices.c.ticker == ticker)
    )
    return row.scalar_one_or_none() is not None


async def _rows_of(connection: AsyncConnection, user_id: str) -> Sequence[tuple[str, int]]:
    rows = await connection.execute(
        select(person_prices.c.ticker, person_prices.c.subscribed_ms)
        .where(person_prices.c.user_id == user_id)
        .order_by(person_prices.c.ticker)
    )
    return [(row[0], row[1]) for row in rows]
