"""A revoked token is dead everywhere within a second, and stays so."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator

import pytest

from __tests__.accounts.world import World, eventually, running
from cryptomarket.accounts import revocations as module
from cryptomarket.accounts.revocations import Revocations
from cryptomarket.backplane.bus import Notice, NoticeKind
from cryptomarket.backplane.memory import MemoryBus
from cryptomarket.errors import BusUnavailable, DatabaseUnavailable, Unauthenticated


class BrokenBus(MemoryBus):
    """A bus that is away."""

    def notices(self) -> AsyncIterator[Notice]:
        raise BusUnavailable("away")


def of_process(world: World, bus: MemoryBus, heard: list[str]) -> Revocations:
    return Revocations(
        world.parts.repository,
        bus,
        token_life_s=3600,
        now_ms=world.hands.clock().wall_ms,
        on_revoked=heard.append,
    )


def expires_s(world: World) -> int:
    return int(world.hands.now_s) + 3600


def knows(known: Revocations) -> bool:
    try:
        known.check()
    except DatabaseUnavailable:
        return False
    return True


def is_dead(known: Revocations, subject: str) -> bool:
    try:
        known.check(subject)
    except Unauthenticated:
        return True
    return False


async def test_a_revocation_reaches_every_process_within_a_second(world: World) -> None:
    """Three processes listen; each lets the token's streams go, once."""
    heard: list[list[str]] = [[], [], []]
    processes = [of_process(world, world.bus, each) for each in heard]
    async with running(processes[0].run()), running(processes[1].run()), running(processes[2].run()):
        for process in processes:
            await process.load()
            process.check("jti-1")
        async with asyncio.timeout(1.0):
            await processes[0].revoke("jti-1", expires_s=expires_s(world))
            await eventually(lambda: all(is_dead(process, "jti-1") for process in processes))
        await processes[1].load()
    assert heard == [["jti-1"]] * 3
    processes[0].check("jti-2")


async def test_a_revocation_outlives_a_restart(world: World) -> None:
    """A process that starts later reads it from the database before its first request."""
    await world.parts.revocations.revoke("jti-1", expires_s=expires_s(world))
    later = of_process(world, world.bus, [])
    await later.load()
    assert is_dead(later, "jti-1")


async def test_nothing_is_accepted_before_it_is_known_what_was_revoked(world: World) -> None:
    """Fails closed: a process that has not read the database yet lets nobody in."""
    with pytest.raises(DatabaseUnavailable):
        of_process(world, world.bus, []).check("jti-1")


async def test_while_the_bus_is_away_the_database_tells(world: World) -> None:
    """Losing the bus delays a revocation by half a second, and hides none."""
    heard: list[str] = []
    bus = BrokenBus("e1", is_newest=lambda _name, _token: True)
    deaf = of_process(world, bus, heard)
    await deaf.load()
    async with running(deaf.run()):
        await world.parts.revocations.revoke("jti-1", expires_s=expires_s(world))
        async with asyncio.timeout(module.RELISTEN_S * 2):
            await eventually(lambda: is_dead(deaf, "jti-1"))
    assert heard == ["jti-1"]


async def test_what_has_expired_is_forgotten(world: World) -> None:
    """Memory and table hold no more than tokens revoked within one life."""
    known = world.parts.revocations
    for number in range(5):
        await known.revoke(f"jti-{number}", expires_s=expires_s(world) + number)
    world.hands.forward(3602)
    await known.load()
    assert [is_dead(known, f"jti-{number}") for number in range(5)] == [False, False, False, True, True]
    assert await known.forget_expired() == 3
    assert set(await world.parts.repository.revoked_tokens(now_ms=0)) == {"jti-3", "jti-4"}


async def test_other_notices_revoke_nothing(world: World) -> None:
    """A ticker that happens to be called like a token harms nobody."""
    known = of_process(world, world.bus, [])
    async with running(known.run()):
        await eventually(lambda: knows(known))
        await world.bus.notify(Notice(NoticeKind.DEMAND, "jti-1"))
        await world.bus.notify(Notice(NoticeKind.REVOKED, "jti-2"))
        await eventually(lambda: is_dead(known, "jti-2"))
    assert not is_dead(known, "jti-1")


async def test_many_processes_revoking_at_once_all_know_everything(world: World) -> None:
    """Whatever the order, every process ends with the same set."""
    processes = [of_process(world, world.bus, []) for _ in range(3)]
    names = [f"jti-{number}" for number in range(30)]
    random.Random(3).shuffle(names)
    async with running(processes[0].run()), running(processes[1].run()), running(processes[2].run()):
        for process in processes:
            await process.load()
        await asyncio.gather(
            *(p.revoke(name, expires_s=expires_s(world)) for p, name in zip(itertools.cycle(processes), names))
        )
        await eventually(lambda: all(is_dead(process, name) for process in processes for name in names))
    assert await world.parts.repository.revoked_tokens(now_ms=0) == dict.fromkeys(names, expires_s(world) * 1000)


async def test_a_revocation_that_no_notice_tells_of_is_noticed_within_a_second(world: World) -> None:
    """Promise: a key that is ended on the command line, which has no bus of ours, is dead as soon as any other."""
    heard: list[str] = []
    deaf = MemoryBus("epoch", is_newest=lambda name, token: True, log_capacity=1, log_hard_capacity=1)
    process = of_process(world, deaf, heard)
    async with running(process.run()):
        await eventually(lambda: knows(process))
        await world.parts.repository.revoke_token("first", expires_ms=expires_s(world) * 1000)
        async with asyncio.timeout(1):
            await eventually(lambda: is_dead(process, "first"))
        await world.parts.repository.revoke_token("second", expires_ms=expires_s(world) * 1000)
        async with asyncio.timeout(1):
            await eventually(lambda: is_dead(process, "second"))
    assert heard == ["first", "second"]
