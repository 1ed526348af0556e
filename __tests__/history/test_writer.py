import asyncio
import signal
from collections.abc import Sequence

import pytest
from sqlalchemy import func, select
from structlog.testing import capture_logs

from __tests__.history.test_jobs import partitions
from __tests__.history.world import (
    FENCE,
    StoppedClock,
    index_tick,
    live,
    new_bus,
    outgoing,
    perpetual_tick,
    publish,
    writing,
)
from __tests__.postgres_server import PostgresServer
from cryptomarket.backplane.bus import Outgoing
from cryptomarket.backplane.memory import MemoryBus
from cryptomarket.db import Database, Month
from cryptomarket.errors import BusUnavailable, DatabaseUnavailable
from cryptomarket.history.cursors import Cursor
from cryptomarket.history.repository import Heard, Repository
from cryptomarket.history.rows import Choice, Row, event_json
from cryptomarket.history.tables import price_tickers
from cryptomarket.history.writer import GROUP, Writer
from cryptomarket.market.position import Position
from cryptomarket.market.ticks import Gap, GapCause
from cryptomarket.market.wire import Change, Publication, PublicationKind, SetChange, data_of, encode


async def stored(repository: Repository, ticker: str = "btc_usd") -> list[Row]:
    page = await repository.page(Cursor.at_start(ticker, 0, 2**50), Choice(), limit=10_000, begun=False)
    return page.rows


async def test_everything_published_before_a_stop_is_stored(repository: Repository, stopped: StoppedClock) -> None:
    """An orderly stop loses nothing, and what is stored is what was streamed, in its order."""
    bus = new_bus()
    told: list[Publication] = []
    async with writing(bus, repository, stopped.clock, flush_rows=7):
        for ms in range(100):
            told += await publish(bus, index_tick(ms), perpetual_tick(ms))
    of_index = [publication for publication in told if publication.ticker == "btc_usd"]
    assert [event_json(row) for row in await stored(repository)] == [data_of(publication) for publication in of_index]
    assert len(await stored(repository, "BTC-PERPETUAL")) == 100
    assert await bus.acknowledged(GROUP) == 200


async def test_a_flush_returns_when_it_is_stored(repository: Repository, stopped: StoppedClock) -> None:
    """After a flush the database has everything, and the writer says so."""
    bus = new_bus()
    async with writing(bus, repository, stopped.clock, flush_ms=60_000) as writer:
        await publish(bus, live(1), index_tick(1), Gap("btc_usd", 1, 5, GapCause.SILENCE), index_tick(5))
        async with asyncio.timeout(10):
            await writer.flush()
        assert len(await stored(repository)) == 2
        assert (writer.stored_up_to, writer.lag_ms, writer.counts.stored) == (4, 0, 4)
        assert len(await repository.gaps("btc_usd", 0, 10, limit=5)) == 1
        assert await repository.last_status("btc_usd") is not None


async def test_a_batch_that_is_handed_out_again_is_stored_once(repository: Repository, stopped: StoppedClock) -> None:
    """A writer that died between commit and acknowledgement is followed by one that stores nothing twice."""
    bus = DeafBus()
    await publish(bus, *(index_tick(ms) for ms in range(20)))
    first = Writer(bus, repository, consumer="here", clock=stopped.clock, flush_ms=1)
    dying = asyncio.create_task(first.run())
    async with asyncio.timeout(10):
        await bus.asked.wait()
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    assert await bus.acknowledged(GROUP) == 0
    bus.leave(GROUP)
    bus.deaf = False
    async with writing(bus, repository, stopped.clock):
        pass
    assert [row.seq for row in await stored(repository)] == list(range(1, 21))


async def test_a_bus_that_is_away_is_waited_for(repository: Repository, stopped: StoppedClock) -> None:
    """What is in hand when the bus goes away is acknowledged when it is back, and nothing is stored twice."""
    bus = DeafBus()
    async with writing(bus, repository, stopped.clock, flush_ms=1) as writer:
        await publish(bus, *(index_tick(ms) for ms in range(20)))
        async with asyncio.timeout(10):
            await bus.asked.wait()
        bus.deaf = False
        async with asyncio.timeout(10):
            await writer.flush()
    assert [row.seq for row in await stored(repository)] == list(range(1, 21))
    assert await bus.acknowledged(GROUP) == 20


class DeafBus(MemoryBus):
    """A bus that hears no acknowledgement for as long as it is deaf."""

    def __init__(self) -> None:
        super().__init__("e1", is_newest=lambda _name, _token: True)
        self.deaf = True
        self.asked = asyncio.Event()

    async def acknowledge(self, group: str, batch: Sequence[Publication]) -> None:
        self.asked.set()
        if self.deaf:
            raise BusUnavailable("not now")
        await super().acknowledge(group, batch)


class AwayRepository(Repository):
    """A repository whose database is away until it is told to come back."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.back = asyncio.Event()
        self.asked = asyncio.Event()

    async def keep(self, heard: Sequence[Heard]) -> None:
        self.asked.set()
        if not self.back.is_set():
            raise DatabaseUnavailable("away")
        await super().keep(heard)


async def test_a_database_that_is_away_is_waited_for(database: Database, stopped: StoppedClock) -> None:
    """While the database is away nothing is acknowledged, the lag shows, and afterwards nothing is missing."""
    bus, repository = new_bus(), AwayRepository(database)
    async with writing(bus, repository, stopped.clock, flush_ms=1) as writer:
        await publish(bus, *(index_tick(ms) for ms in range(50)))
        async with asyncio.timeout(10):
            await repository.asked.wait()
        stopped.now_ms += 7000
        assert writer.lag_ms == 7000
        assert (writer.stored_up_to, await bus.acknowledged(GROUP)) == (0, 0)
        repository.back.set()
        async with asyncio.timeout(10):
            await writer.flush()
        assert writer.lag_ms == 0
    assert len(await stored(repository)) == 50


async def published_and_stored(bus: MemoryBus, repository: Repository) -> bool:
    """Whether the database holds exactly what was published of btc_usd, in its order, event for event."""
    told = [data_of(publication) for publication in await bus.since(Position("e1", 0), 10_000, 10_000)]
    return [event_json(row) for row in await stored(repository)] == told


async def test_a_server_that_is_killed_loses_nothing(
    postgres: PostgresServer, postgres_url: str, stopped: StoppedClock
) -> None:
    """PostgreSQL dies without a word while it is written to: afterwards the database equals what was published."""
    database = Database(postgres_url)
    bus, repository = new_bus(), Repository(database)
    async with writing(bus, repository, stopped.clock, flush_rows=20, flush_ms=5) as writer:
        for ms in range(300):
            await publish(bus, index_tick(ms))
            if ms in (100, 200):
                postgres.stop(signal.SIGKILL)
            if ms in (150, 250):
                assert await bus.acknowledged(GROUP) < ms
                await asyncio.to_thread(postgres.start)
                async with asyncio.timeout(30):
                    await writer.flush()
        async with asyncio.timeout(30):
            await writer.flush()
    assert await published_and_stored(bus, repository)
    await database.close()


async def test_a_server_that_is_silent_is_waited_for(
    postgres: PostgresServer, postgres_url: str, stopped: StoppedClock
) -> None:
    """A server that stands still in the middle of writing acknowledges nothing, and is asked again when it goes on."""
    database = Database(postgres_url)
    bus, repository = new_bus(), Repository(database)
    async with writing(bus, repository, stopped.clock, flush_ms=5) as writer:
        await publish(bus, index_tick(1))
        await writer.flush()
        postgres.pause()
        try:
            await publish(bus, *(index_tick(ms) for ms in range(2, 50)))
            flushing = asyncio.create_task(writer.flush())
            done, _ = await asyncio.wait((flushing,), timeout=0.3)
            assert not done
            assert await bus.acknowledged(GROUP) == 1
        finally:
            postgres.resume()
        async with asyncio.timeout(30):
            await flushing
    assert await published_and_stored(bus, repository)
    await database.close()


async def test_the_pauses_grow_are_drawn_and_have_an_end(database: Database, stopped: StoppedClock) -> None:
    """Many writers that wait for one database do not come back in step, and none waits long."""
    bus, repository = new_bus(), CountedAbsence(database, times=9)
    with capture_logs() as logs:
        async with writing(bus, repository, stopped.clock, flush_ms=1, random=lambda: 0.001):
            await publish(bus, index_tick(1))
    pauses = [entry["pause_s"] for entry in logs if entry["event"] == "writer waits for the database"]
    assert pauses == pytest.approx([0.001 * limit for limit in (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5, 5, 5)])
    assert len(await stored(repository)) == 1


class CountedAbsence(Repository):
    """A repository whose database is away so many times."""

    def __init__(self, database: Database, *, times: int) -> None:
        super().__init__(database)
        self._times = times

    async def keep(self, heard: Sequence[Heard]) -> None:
        self._times -= 1
        if self._times >= 0:
            raise DatabaseUnavailable("away")
        await super().keep(heard)


async def test_the_turn_of_a_month_finds_its_place_made(postgres_url: str) -> None:
    """Places for the next months are made at the start and at each turn; a tick of any time has one."""
    december = Month(2026, 12)
    stopped = StoppedClock(december.start_ms - 1)
    database = Database(postgres_url)
    bus, repository = new_bus(), Repository(database)
    async with writing(bus, repository, stopped.clock, flush_ms=1) as writer:
        await publish(bus, index_tick(stopped.now_ms))
        await writer.flush()
        assert await partitions(database) == {"2026_11", "2026_12", "2027_01"}
        stopped.now_ms += 1
        # The first of them may end a turn that had begun before the month did.
        for _ in range(2):
            await publish(bus, index_tick(stopped.now_ms))
            await writer.flush()
        assert "2027_02" in await partitions(database)
        odd = [0, 12345, Month(2019, 5).start_ms, Month(2031, 5).start_ms, Month(2100, 1).start_ms]
        await publish(bus, *(index_tick(ms) for ms in odd))
        await writer.flush()
    assert {"2019_05", "2031_05"} <= await partitions(database)
    async with database.read() as connection:
        assert (await connection.execute(select(func.count()).select_from(price_tickers))).scalar_one() == 8
    await database.close()


async def test_what_cannot_be_read_is_counted_logged_and_passed(repository: Repository, stopped: StoppedClock) -> None:
    """One bad publication is told about, and holds nobody up."""
    bus = new_bus()
    with capture_logs() as logs:
        async with writing(bus, repository, stopped.clock) as writer:
            await publish(bus, index_tick(1))
            bad = [b"{", b"\xff\xfe", b'{"ticker":"btc_usd"}', encode({"ticker": 7})]
            await bus.publish([Outgoing(PublicationKind.TICK, "btc_usd", payload) for payload in bad], FENCE)
            huge = outgoing(index_tick(1)._replace(timestamp_ms=2**63))
            await bus.publish([huge], FENCE)
            await publish(bus, index_tick(2))
        assert (writer.counts.unreadable, writer.counts.stored) == (5, 2)
    assert [row.timestamp_ms for row in await stored(repository)] == [1, 2]
    assert await bus.acknowledged(GROUP) == 7
    assert [entry["position"] for entry in logs if entry["event"] == "publication skipped"] == [
        f"e1-{seq}" for seq in range(2, 7)
    ]


async def test_what_the_database_refuses_keeps_no_other_out(database: Database, stopped: StoppedClock) -> None:
    """A row that breaks a rule of the database is given up alone; the rest of its batch is stored."""
    rule = (
        "CREATE TRIGGER picky BEFORE INSERT ON crypto_price_tickers WHEN NEW.timestamp_ms = 3 "
        "BEGIN SELECT RAISE(ABORT, 'not this one'); END"
        if database.is_sqlite
        else "ALTER TABLE crypto.price_tickers ADD CONSTRAINT picky CHECK (timestamp_ms <> 3)"
    )
    async with database.begin() as connection:
        await connection.exec_driver_sql(rule)
    bus, repository = new_bus(), Repository(database)
    async with writing(bus, repository, stopped.clock) as writer:
        await publish(bus, *(index_tick(ms) for ms in range(6)))
    assert (writer.counts.refused, writer.counts.stored) == (1, 5)
    assert [row.timestamp_ms for row in await stored(repository)] == [0, 1, 2, 4, 5]


async def test_changes_of_sets_pass_through(repository: Repository, stopped: StoppedClock) -> None:
    """Set changes take a place in the order and are no history: acknowledged, not stored."""
    bus = new_bus()
    async with writing(bus, repository, stopped.clock) as writer:
        change = SetChange("u1", Change.SUBSCRIBED, "btc_usd", ("btc_usd",), 1)
        await bus.publish_change("u1", "btc_usd", encode(change))
        await publish(bus, index_tick(1))
    assert (writer.counts.stored, await bus.acknowledged(GROUP)) == (1, 2)


@pytest.mark.parametrize("flush_rows", [1, 3, 1000])
async def test_a_batch_never_exceeds_its_bound(database: Database, stopped: StoppedClock, flush_rows: int) -> None:
    """The writer's queue is bounded by rows: the rest stays in the log."""
    bus, repository = new_bus(), CountingRepository(database)
    await publish(bus, *(index_tick(ms) for ms in range(10)))
    async with writing(bus, repository, stopped.clock, flush_rows=flush_rows):
        pass
    assert sum(repository.batches) == 10
    assert max(repository.batches) == min(flush_rows, 10)


class CountingRepository(Repository):
    """A repository that notes how large the batches are."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.batches: list[int] = []

    async def keep(self, heard: Sequence[Heard]) -> None:
        self.batches.append(len(heard))
        await super().keep(heard)


async def test_positions_of_two_epochs_are_two_rows(repository: Repository, stopped: StoppedClock) -> None:
    """No position names two events: the same sequence in another epoch is another row."""
    for epoch in ("e1", "e2"):
        bus = new_bus(epoch)
        async with writing(bus, repository, stopped.clock):
            await publish(bus, index_tick(5))
    assert [row.position for row in await stored(repository)] == [Position("e1", 1), Position("e2", 1)]
