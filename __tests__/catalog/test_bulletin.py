"""What the exchange tells one process of instruments, every process knows."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from __tests__.catalog.test_directory import LATER, Exchange, Time
from __tests__.deribit.ears import eventually
from cryptomarket.backplane.bus import Notice, NoticeKind
from cryptomarket.backplane.memory import MemoryBus
from cryptomarket.catalog import bulletin as module
from cryptomarket.catalog.bulletin import Bulletin
from cryptomarket.catalog.directory import Catalogue
from cryptomarket.errors import BusUnavailable

PERPETUAL, OPTION, NEW = "BTC-PERPETUAL", "BTC-27DEC26-50000-C", str(LATER["instrument_name"])


class Bus(MemoryBus):
    """A bus that can be away, and remembers what it was told."""

    def __init__(self) -> None:
        super().__init__("e1", is_newest=lambda _name, _token: True)
        self.is_away = False
        self.tries = 0
        self.told: list[Notice] = []

    async def notify(self, notice: Notice) -> None:
        self.tries += 1
        if self.is_away:
            raise BusUnavailable("away")
        self.told.append(notice)
        await super().notify(notice)

    def notices(self) -> AsyncIterator[Notice]:
        self.tries += 1
        if self.is_away:
            raise BusUnavailable("away")
        return super().notices()


class Process:
    """A catalogue that keeps itself filled, and its bulletin."""

    def __init__(self, bus: Bus) -> None:
        self.exchange = Exchange()
        self.catalogue = Catalogue(self.exchange, clock=Time().clock)
        self.listed = 0
        self.bulletin = Bulletin(self.catalogue, bus, random=lambda: 0.01, on_listed=self._count)

    def _count(self) -> None:
        self.listed += 1

    def state(self, name: str) -> str | None:
        known = self.catalogue.known(name)
        return known.state if known is not None else None


@asynccontextmanager
async def running(*processes: Process) -> AsyncIterator[None]:
    tasks = [
        asyncio.create_task(work)
        for each in processes
        for work in (each.bulletin.listen(), each.bulletin.speak(), each.catalogue.run(gather_s=0.001))
    ]
    try:
        await eventually(lambda: all(each.catalogue.is_loaded for each in processes))
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def test_every_process_knows_at_once_what_one_was_told() -> None:
    """Promise: an instrument that is halted or expires is so for every reader of every process, without a question."""
    bus = Bus()
    hearing, others = Process(bus), [Process(bus), Process(bus)]
    async with running(hearing, *others):
        for each in others:
            each.exchange.asked.clear()
        hearing.bulletin.tell(PERPETUAL, "halted")
        hearing.bulletin.tell(OPTION, "delivered")
        assert (hearing.state(PERPETUAL), hearing.state(OPTION)) == ("halted", "delivered")
        await eventually(lambda: all(each.state(OPTION) == "delivered" for each in others))
        assert [each.state(PERPETUAL) for each in others] == ["halted", "halted"]
        assert [(each.exchange.asked, each.listed) for each in others] == [([], 0), ([], 0)]
    assert len(bus.told) == 1, "what comes together is told together"


async def test_every_process_lists_what_is_new() -> None:
    """Promise: an instrument of which nobody knew is looked for by everybody; what was kept of before is dropped."""
    bus = Bus()
    hearing, other = Process(bus), Process(bus)
    async with running(hearing, other):
        for each in (hearing, other):
            each.exchange.rows.append(LATER)
        hearing.bulletin.tell(NEW, "created")
        await eventually(lambda: {NEW} <= {found.name for found in other.catalogue.all()})
        assert hearing.listed
        assert other.listed


async def test_while_the_bus_is_away_the_newest_state_waits_for_it() -> None:
    """Promise: nothing is lost by an outage of the bus, and of several states of one instrument the last is told."""
    bus = Bus()
    hearing, other = Process(bus), Process(bus)
    async with running(hearing, other):
        bus.is_away, bus.tries = True, 0
        hearing.bulletin.tell(PERPETUAL, "halted")
        await eventually(lambda: bus.tries > 1)
        hearing.bulletin.tell(PERPETUAL, "open")
        bus.is_away = False
        await eventually(lambda: bool(bus.told))
        await eventually(lambda: other.state(PERPETUAL) == "open")
    assert [notice.subject for notice in bus.told] == ['{"BTC-PERPETUAL":"open"}']


async def test_more_than_can_wait_is_told_as_one_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: an exchange that lists the world at once costs bounded memory, and everybody looks again; small crowds
    are told in pieces.
    """
    monkeypatch.setattr(module, "MAX_UNTOLD", 5)
    monkeypatch.setattr(module, "AT_ONCE", 2)
    bus = Bus()
    hearing, other = Process(bus), Process(bus)
    async with running(hearing, other):
        for number in range(5):
            hearing.bulletin.tell(f"BTC-{number}", "created")
        await eventually(lambda: len(bus.told) == 3)
        bus.is_away, bus.tries = True, 0
        other.exchange.asked.clear()
        for number in range(6):
            hearing.bulletin.tell(f"ETH-{number}", "created")
        await eventually(lambda: bus.tries > 1)
        bus.is_away = False
        await eventually(lambda: len(bus.told) == 4)
        await eventually(lambda: "public/get_instruments" in other.exchange.asked)
    assert bus.told[-1] == module.LOOK_AGAIN


@pytest.mark.parametrize("subject", ["", "[]", '{"BTC-PERPETUAL":1}', "{}"])
async def test_what_can_not_be_read_makes_it_look_again(subject: str) -> None:
    """Promise: a process of a newer version may tell it otherwise; notices about other things are for others."""
    bus = Bus()
    process = Process(bus)
    async with running(process):
        await bus.notify(Notice(NoticeKind.DEMAND, '{"BTC-PERPETUAL":"halted"}'))
        await bus.notify(Notice(NoticeKind.INSTRUMENTS, subject))
        await eventually(lambda: process.exchange.asked.count("public/get_instruments") > 1)
    assert (process.state(PERPETUAL), process.listed) == (None, 1)


async def test_who_could_not_listen_looks_again() -> None:
    """Promise: what was told while the bus was away is not missed, and the exchange is asked once for it."""
    bus = Bus()
    bus.is_away = True
    process = Process(bus)
    async with running(process):
        await eventually(lambda: bus.tries > 0)
        assert process.listed == 0
        bus.is_away = False
        await eventually(lambda: process.exchange.asked.count("public/get_instruments") > 1)
        await bus.notify(Notice(NoticeKind.INSTRUMENTS, '{"BTC-PERPETUAL":"halted"}'))
        await eventually(lambda: process.state(PERPETUAL) == "halted")
    assert process.listed == 1
