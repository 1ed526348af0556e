"""What was published, by position: the SQL of replays and of what was removed."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    Table,
    and_,
    cast,
    delete,
    exists,
    func,
    literal,
    null,
    or_,
    select,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from cryptomarket.db import Database, plan_for_values
from cryptomarket.history.rows import Row
from cryptomarket.history.tables import gaps, price_tickers, removals, statuses
from cryptomarket.market.position import Position
from cryptomarket.market.ticks import FeedState, GapCause, Status
from cryptomarket.market.wire import Publication, PublicationKind, encode, encode_tick

_row = price_tickers.c


class _Place(NamedTuple):
    """Where a publication stands, and in which table it is kept."""

    seq: int
    kind: str
    id: int
    timestamp_ms: int | None


def _places(table: Table, kind: PublicationKind, epoch: str, wanted: ColumnElement[bool]) -> Select[Any]:
    time: ColumnElement[Any] = table.c.timestamp_ms if table is price_tickers else cast(null(), BigInteger)
    return select(table.c.seq, literal(kind.value).label("kind"), table.c.id, time.label("timestamp_ms")).where(
        table.c.epoch == epoch, wanted
    )


def _old(before_ms: int) -> tuple[tuple[Table, ColumnElement[bool]], ...]:
    later = statuses.alias("later")
    has_later = exists().where(
        later.c.ticker == statuses.c.ticker, later.c.since_ms > statuses.c.since_ms, later.c.since_ms <= before_ms
    )
    return (
        (price_tickers, _row.timestamp_ms < before_ms),
        (statuses, and_(statuses.c.since_ms < before_ms, has_later)),
        (gaps, gaps.c.to_ms <= before_ms),
    )


class ReplayRepository:
    """Publications as they were stored. Every call raises DatabaseUnavailable."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def between(
        self, after: Position, until_seq: int, tickers: Collection[str], *, limit: int
    ) -> list[Publication] | None:
        """The first `limit` stored publications about these tickers after a position, up to a sequence, in order.

        None when not everything of theirs after the position is here: some was removed, or lost before it was stored.
        All of it is one look at the database.
        """
        async with self._db.read() as connection:
            if await self._lacks(connection, after, tickers):
                return None
            places = await self._places(connection, after, until_seq, tickers, limit)
            return await self._publications(connection, after.epoch, places)

    async def _lacks(self, connection: AsyncConnection, after: Position, tickers: Collection[str]) -> bool:
        removed = select(removals.c.seq).where(removals.c.epoch == after.epoch, removals.c.seq > after.seq)
        # A loss has times and no place: one that ends after the ticker's last tick at or before the position counts.
        last_ms = (
            select(func.max(_row.timestamp_ms))
            .where(_row.ticker == gaps.c.ticker, _row.epoch == after.epoch, _row.seq <= after.seq)
            .correlate(gaps)
            .scalar_subquery()
        )
        lost = select(gaps.c.id).where(
            gaps.c.ticker.in_(tickers),
            gaps.c.epoch.is_(None),
            gaps.c.cause == GapCause.WRITER.value,
            or_(last_ms.is_(None), gaps.c.to_ms > last_ms),
        )
        found = await connection.execute(
            union_all(removed.limit(1).subquery().select(), lost.limit(1).subquery().select())
        )
        return found.first() is not None

    async def _places(
        self, connection: AsyncConnection, after: Position, until_seq: int, tickers: Collection[str], limit: int
    ) -> list[_Place]:
        of_kinds = (
            (price_tickers, PublicationKind.TICK), (statuses, PublicationKind.STATUS), (gaps, PublicationKind.GAP),
        )  # fmt: skip
        asked = union_all(
            *(
                _places(
                    table,
                    kind,
                    after.epoch,
                    and_(table.c.ticker.in_(tickers), table.c.seq > after.seq, table.c.seq <= until_seq),
                )
                .order_by(table.c.seq)
                .limit(limit)
                .subquery()
                .select()
                for table, kind in of_kinds
            )
        ).order_by("seq")
        return [_Place._make(place) for place in (await connection.execute(asked.limit(limit))).all()]

    async def _publications(
        self, connection: AsyncConnection, epoch: str, places: Sequence[_Place]
    ) -> list[Publication]:
        ids = {kind: [place.id for place in places if place.kind == kind] for kind in PublicationKind}
        times = [place.timestamp_ms for place in places if place.timestamp_ms is not None]
        found: dict[int, Publication] = {}
        if times:
            # The times let PostgreSQL look at the months alone in which these rows lie.
            ticks = select(*(_row[name] for name in Row._fields)).where(
                _row.id.in_(ids[PublicationKind.TICK]), _row.timestamp_ms.between(min(times), max(times))
            )
            for row in map(Row._make, await connection.execute(ticks)):
                payload = encode_tick(row.tick, published_us=row.published_us or row.received_us)
                found[row.seq or 0] = Publication(
                    Position(epoch, row.seq or 0), PublicationKind.TICK, row.ticker, row.prev_seq, payload
                )
        told = statuses.c
        columns = (told.ticker, told.seq, told.prev_seq, told.state, told.since_ms, told.age_ms, told.reason)
        states = select(*columns).where(told.id.in_(ids[PublicationKind.STATUS]))
        for ticker, seq, prev_seq, state, since_ms, age_ms, reason in await connection.execute(states):
            payload = encode(Status(ticker, FeedState(state), since_ms, age_ms, reason))
            found[seq] = Publication(Position(epoch, seq), PublicationKind.STATUS, ticker, prev_seq, payload)
        of_gaps = select(gaps.c.ticker, gaps.c.seq, gaps.c.prev_seq, gaps.c.payload).where(
            gaps.c.id.in_(ids[PublicationKind.GAP])
        )
        for ticker, seq, prev_seq, text in await connection.execute(of_gaps):
            found[seq] = Publication(Position(epoch, seq), PublicationKind.GAP, ticker, prev_seq, text.encode())
        return [found[seq] for seq in sorted(found)]

    async def count_before(self, before_ms: int) -> int:
        """How many rows `remove_before` would remove now."""
        async with self._db.read() as connection:
            await connection.run_sync(plan_for_values)
            counts = [
                (await connection.execute(select(func.count()).select_from(table).where(is_old))).scalar_one()
                for table, is_old in _old(before_ms)
            ]
        return sum(counts)

    async def remove_before(self, before_ms: int) -> int:
        """Removes the ticks, statuses and gaps of all times before this one, and remembers of each epoch up to where
        something was removed. Returns how many rows. The state in which each ticker then was is kept: it holds on.
        """
        count = 0
        async with self._db.begin() as connection:
            await connection.run_sync(plan_for_values)
            for table, is_old in _old(before_ms):
                highest = select(table.c.epoch, func.max(table.c.seq)).where(is_old, table.c.epoch.is_not(None))
                for epoch, seq in (await connection.execute(highest.group_by(table.c.epoch))).all():
                    await self._remember(connection, epoch, seq)
                count += (await connection.execute(delete(table).where(is_old))).rowcount
        return count

    async def _remember(self, connection: AsyncConnection, epoch: str, seq: int) -> None:
        known = (await connection.execute(select(removals.c.seq).where(removals.c.epoch == epoch))).scalar_one_or_none()
        row = {"epoch": epoch, "seq": max(seq, known or 0)}
        await self._db.upsert(connection, removals, [row], keys=["epoch"], update=["seq"])
