"""Each ingest process holds its fair share of the slots, and all slots are held."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryptomarket.backplane.memory import MemoryCache, MemoryLeases
from cryptomarket.ingest.ownership import Ownership, fair_share, slot_lease_name

LIFE_S = 6.0


class World:
    """Leases and cache on a clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.leases = MemoryLeases(lambda: self.now_s)
        self.cache = MemoryCache(lambda: self.now_s)
        self.changes: list[str] = []

    def process(self, owner: str, slots: int = 10) -> Ownership:
        """One more ingest process."""
        return Ownership(
            self.leases,
            self.cache,
            owner=owner,
            slots=slots,
            life_s=LIFE_S,
            on_change=lambda: self.changes.append(owner),
        )

    async def rounds(self, *processes: Ownership, count: int = 4) -> None:
        """Some rounds of all of them, a third of a lease's life apart."""
        for _ in range(count):
            for process in processes:
                await process.settle()
            self.now_s += LIFE_S / 3


@given(st.integers(1, 32), st.sets(st.text(min_size=1, max_size=5), min_size=1, max_size=8))
def test_shares_are_all_the_slots_and_none_holds_two_more(slots: int, peers: set[str]) -> None:
    """Promise: a fair share for everyone, and no slot left over."""
    shares = [fair_share(slots, peers, owner) for owner in peers]
    assert sum(shares) == slots
    assert max(shares) - min(shares) <= 1


async def test_one_process_holds_them_all() -> None:
    """Promise: with one ingest process it holds all ten."""
    world = World()
    alone = world.process("a")
    await world.rounds(alone)
    assert set(alone.held) == set(range(10))
    assert world.changes == ["a"]


@pytest.mark.parametrize("count", [2, 3])
async def test_several_share_them_and_no_slot_has_two_owners(count: int) -> None:
    """Promise: surplus is given back when a peer appears; each slot is held by exactly one."""
    world = World()
    processes = [world.process(f"p{at}") for at in range(count)]
    await world.rounds(processes[0])
    await world.rounds(*processes)
    assert sorted(slot for process in processes for slot in process.held) == list(range(10))
    sizes = [len(process.held) for process in processes]
    assert max(sizes) - min(sizes) <= 1


async def test_a_dead_peers_slots_are_taken_when_its_leases_are_over() -> None:
    """Promise: nothing stays unheard for longer than a lease's life."""
    world = World()
    one, other = world.process("a"), world.process("b")
    await world.rounds(one, other)
    assert len(one.held) == 5
    await world.rounds(one, count=5)
    assert set(one.held) == set(range(10))


async def test_a_lost_lease_is_given_up_at_once() -> None:
    """Promise: an owner that slept through its lease knows it, and has another token or none."""
    world = World()
    sleeper = world.process("a", slots=1)
    await sleeper.settle()
    before = sleeper.held[0]
    world.now_s += LIFE_S + 1
    taken = await world.leases.acquire(slot_lease_name(0), "b", life_s=LIFE_S)
    assert taken is not None
    await sleeper.settle()
    assert sleeper.held == {}
    assert taken.token > before.token


async def test_an_orderly_end_gives_everything_back() -> None:
    """Promise: a peer need not wait for the leases of one who said goodbye."""
    world, all_held = World(), asyncio.Event()
    process = Ownership(world.leases, world.cache, owner="a", slots=10, life_s=LIFE_S, on_change=all_held.set)
    running = asyncio.create_task(process.run())
    async with asyncio.timeout(5):
        await all_held.wait()
    assert len(process.held) == 10
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert process.held == {}
    assert await world.leases.holders() == {}
