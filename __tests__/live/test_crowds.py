"""A crowd that comes back: what it costs the bus and the database, and what it costs those who have stayed."""

import asyncio
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import Engine, event

from __tests__.history.world import writing
from __tests__.live.served import PATH, events_as_they_come, gate_of, listening
from __tests__.live.world import (
    EPOCH,
    FENCE,
    PAGE,
    QUIET,
    START_MS,
    Event,
    House,
    Reader,
    house,
    tick,
    turns,
)
from cryptomarket.backplane.memory import MemoryBus
from cryptomarket.db import Database
from cryptomarket.history.replay import Replay, Told
from cryptomarket.history.replay_repository import ReplayRepository
from cryptomarket.history.repository import Repository
from cryptomarket.history.writer import GROUP
from cryptomarket.live.follow import ARCHIVE_REPLAYS_AT_ONCE, REPLAYS_AT_ONCE, Resume
from cryptomarket.live.seat import Reason
from cryptomarket.market.position import Position
from cryptomarket.market.wire import Publication
from cryptomarket.server import Wire

CROWD = 40


class CountedBus(MemoryBus):
    """A bus that counts who reads its log, and lets nobody finish while it is held."""

    def __init__(self, log_capacity: int) -> None:
        super().__init__(EPOCH, is_newest=lambda name, token: True, log_capacity=log_capacity)
        self.counts = Counter[str]()
        self.at_once = 0
        self.flows = asyncio.Event()
        self.flows.set()

    async def since(self, after: Position, until: int, limit: int) -> list[Publication]:
        """See Bus.since."""
        self.counts["since"] += 1
        self.at_once += 1
        self.counts["most"] = max(self.counts["most"], self.at_once)
        try:
            await self.flows.wait()
            return await super().since(after, until, limit)
        finally:
            self.at_once -= 1


@contextmanager
def statements() -> Iterator[list[str]]:
    """What any database of this process is asked meanwhile."""
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: Any) -> None:  # noqa: ANN401  as the library calls
        asked.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(Engine, "before_cursor_execute", note)


async def test_no_database_is_read_while_the_log_reaches_back(tmp_path: Path) -> None:
    """Promise: a crowd that comes back to the whole application is served out of the process's own ring, without a
    question to bus or database; then out of the log, and still no database is asked; only past the log's reach it is.
    """
    bus = CountedBus(log_capacity=60)

    def archive(database: Database) -> Replay:
        kept.append(Repository(database))
        return Replay(ReplayRepository(database), bus)

    kept: list[Repository] = []
    async with (
        listening(Wire) as server,
        gate_of(tmp_path, QUIET, 1000, archive, bus=bus, ring_events=20) as gate,
        writing(bus, kept[0], gate.hands.clock()) as writer,
        httpx2.AsyncClient(
            base_url=f"http://127.0.0.1:{server.port}", timeout=10, limits=httpx2.Limits(max_connections=None)
        ) as http,
    ):
        server.turn_to(gate)
        for at in range(100):
            await gate.publish(tick("btc_usd", START_MS + at))
            if at == 70:
                # What is stored, the log may give up.
                await writer.flush()
        await writer.flush()
        assert await bus.acknowledged(GROUP) == 100
        asked: dict[int, tuple[int, int]] = {}
        # Who somebody is, is asked once.
        await resumed(http, gate.bearer(), 99)
        for after in (80, 99, 45, 10):
            bus.counts.clear()
            with statements() as said:
                told = await asyncio.gather(*(resumed(http, gate.bearer(), after) for _ in range(CROWD)))
            assert all(each == told[0] for each in told)
            assert [each.data["seq"] for each in told[0] if each.name == "message"] == [*range(after + 1, 101)]
            asked[after] = bus.counts["since"], len(said)
        await gate.left_empty()
    assert asked[80] == asked[99] == (0, 0)
    assert asked[45][0] >= CROWD
    assert asked[45][1] == 0
    assert asked[10][1] >= CROWD


async def resumed(http: httpx2.AsyncClient, headers: dict[str, str], after: int) -> list[Event]:
    """What somebody is told who comes back and stays until he has everything up to the hundredth."""
    headers |= {"Last-Event-ID": f"{EPOCH}-{after}"}
    async with http.stream("GET", f"{PATH}?tickers=btc_usd", headers=headers) as response:
        told = []
        async for each in events_as_they_come(response):
            told.append(each)
            if each.id is not None and each.id.seq == 100:
                break
        assert told[0].data["resume"] == "complete"
        return [each for each in told if each.name != "connected"]


async def crowd_of(built: House, after: int, count: int = CROWD) -> list[Reader]:
    """Readers who come back at once, and whose openings may wait for each other."""
    return list(
        await asyncio.gather(*(built.opened(["btc_usd"], Position(EPOCH, after), limits=QUIET) for _ in range(count)))
    )


async def hundred(built: House) -> None:
    for at in range(100):
        await built.publish(tick("btc_usd", START_MS + at))


async def test_replays_out_of_the_log_are_paced() -> None:
    """Promise: however many come back at once, the bus is asked by so many at a time and no more; everybody is served
    in the end, and who is live hears what is new meanwhile.
    """
    bus = CountedBus(log_capacity=1000)
    async with house(bus=bus, ring_events=10) as built:
        await hundred(built)
        live = await built.opened(["btc_usd"])
        bus.flows.clear()
        coming = asyncio.create_task(crowd_of(built, 5))
        await turns(200)
        assert bus.at_once == REPLAYS_AT_ONCE
        [new] = await built.publish(tick("btc_usd", START_MS + 100))
        await live.until_seq(new.seq)
        assert not coming.done()
        bus.flows.set()
        for reader in await coming:
            await reader.until_seq(new.seq)
            assert reader.opening.resume is Resume.COMPLETE
            assert reader.seqs == [*range(6, 102)]
        assert bus.counts["most"] == REPLAYS_AT_ONCE


class HeldShelf:
    """A store of everything, that lets nobody finish while it is held."""

    def __init__(self, built: House) -> None:
        self._built = built
        self.at_once = 0
        self.most = 0
        self.flows = asyncio.Event()

    async def after(self, after: Position, until_seq: int, tickers: Collection[str], *, limit: int) -> Told:
        """As `Replay` answers."""
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            await self.flows.wait()
        finally:
            self.at_once -= 1
        found = [told for told in self._built.said if after.seq < told.seq <= until_seq and told.ticker in tickers]
        return Told(found[:limit], found[:limit][-1].seq if len(found) >= limit else until_seq, until_seq)


async def test_replays_out_of_the_database_are_paced() -> None:
    """Promise: a crowd that was away for longer than the log reaches back asks the database by so many at a time."""
    async with house(log_capacity=10) as built:
        shelf = HeldShelf(built)
        built.openers[0]._archive = shelf  # noqa: SLF001  the shelf is made of what the house publishes
        await hundred(built)
        coming = asyncio.create_task(crowd_of(built, 5))
        await turns(200)
        assert shelf.at_once == ARCHIVE_REPLAYS_AT_ONCE
        shelf.flows.set()
        for reader in await coming:
            await reader.until_seq(100)
            assert reader.seqs == [*range(6, 101)]
        assert shelf.most == ARCHIVE_REPLAYS_AT_ONCE


@pytest.mark.usefixtures("way")
async def test_a_crowds_replays_take_turns_with_what_is_live() -> None:
    """Promise: what is published while a crowd is told the past goes to who is live a few turns of the loop later, and
    not when the crowd is served; nobody of the crowd is told more than a page in one turn.
    """
    async with house() as built:
        await hundred(built)
        live = await built.opened(["btc_usd"])
        await live.until_named("connected")
        crowd = await crowd_of(built, 0)
        [new] = await built.bus.publish([tick("btc_usd", START_MS + 100)], FENCE)
        for _ in range(10):
            before = [len(reader.events) for reader in crowd]
            # sleep: one turn of the loop
            await asyncio.sleep(0)
            assert all(len(reader.events) - had <= PAGE + 1 for reader, had in zip(crowd, before, strict=True))
            if new.seq in live.seqs:
                break
        assert new.seq in live.seqs
        assert all(reader.last_id.seq < 100 for reader in crowd)
        for reader in crowd:
            await reader.until_seq(new.seq)
            assert reader.seqs == [*range(1, 102)]


@pytest.mark.usefixtures("way")
async def test_what_waits_behind_a_replay_is_bounded() -> None:
    """Promise: who does not read his replay is let go once what came meanwhile exceeds his backlog; nothing of it is
    kept any longer, his id lies before all that he was not told, and he comes back for it.
    """
    limits = replace(QUIET, backlog_bytes=3000)
    async with house(limits=limits) as built:
        await hundred(built)
        reader = await built.opened(["btc_usd"], Position(EPOCH, 5), reading=False)
        for at in range(100, 130):
            await built.publish(tick("btc_usd", START_MS + at))
        assert reader.seat.reason is Reason.SLOW
        assert reader.seat.mailbox.take() == []
        reader.reads_on()
        await reader.until_ended()
        assert reader.events[-1].data["reason"] == "slow"
        assert reader.last_id.seq <= 100
        again = await built.opened(["btc_usd"], reader.last_id)
        await again.until_seq(130)
        assert [*reader.seqs, *again.seqs] == [*range(6, 131)]
