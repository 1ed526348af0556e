"""A few of many readers stop reading while events are large: the others lose nothing, and nobody's memory grows."""

import asyncio
import resource
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from __tests__.journeys.gateway import Gateway
from __tests__.journeys.kernel_memory import kernel_bytes, send_buffers
from __tests__.journeys.scaled import operation
from __tests__.journeys.slow_crowd import (
    EVENT_BYTES,
    RATE,
    SLOW,
    STREAMS,
    TICKERS,
    Crowd,
    Listener,
    a_crowd,
    check_order_of,
    check_sent,
    count_sent,
    large_market,
)
from __tests__.journeys.storm import Word
from __tests__.journeys.test_slow_reader import SMALL_BUFFER_BYTES, resident_bytes
from __tests__.journeys.witness import Scene, scene

REACH = 350
"""Publications that can be resumed. So many come first that memory is full of them before it is measured."""

STALLED = 300
"""Publications while some don't read: more than the backlog and the kernel take of any of them."""

AFTERWARDS = 50
BACKLOG_BYTES = 1_048_576
KERNEL_BYTES = 131_072
ROOM = {
    "stream_backlog_bytes": str(BACKLOG_BYTES),
    "stream_kernel_bytes": str(KERNEL_BYTES),
    # They are let go in the middle, and read the reason when all is measured.
    "stream_farewell_s": "600",
    "stream_ring_events": str(REACH),
    "log_capacity": str(REACH),
    "log_hard_capacity": "20000",
    "streams_per_user": str(2 * STREAMS),
    "streams_per_address": str(2 * STREAMS),
    # Only who listens wants anything, and nothing is renewed while the exchange is silent: every place is a tick's.
    "always_tickers": ",",
    "instrument_silence_s": "3600",
    "request_timeout_s": "30",
    # When the exchange is silent, this says to whom nothing is on its way any more.
    "keep_alive_s": "0.5",
    "demand_life_s": "60",
    "log_level": "INFO",
}
RESIDENT_SPREAD_BYTES = 8 * 2**20
"""What a process's memory wanders by itself: arenas, and pages of the database."""

# A buffer of so many bytes is twice as many with the kernel's own share (socket(7), SO_SNDBUF), and the last segment,
# 64 kB on loopback, may go over it; the reader's own is small. Both ends of all connections keep a page or two.
KERNEL_LIMIT_BYTES = SLOW * (2 * KERNEL_BYTES + 65_536 + 2 * SMALL_BUFFER_BYTES) + STREAMS * 4 * 4096
RESIDENT_LIMIT_BYTES = SLOW * (BACKLOG_BYTES + EVENT_BYTES) + RESIDENT_SPREAD_BYTES
WITHIN_S = 30 + 2 * REACH / RATE


@dataclass(frozen=True, slots=True)
class Grown:
    """What was left unread, and by how much the memory of the gateway's process and of the kernel has grown."""

    unread_bytes: int
    resident_bytes: int
    kernel_bytes: int


@pytest.fixture(autouse=True)
def enough_files() -> None:
    """Both ends of every connection are files; many systems allow a thousand."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 8192)), hard))


async def falls_silent(running: Scene, crowd: Crowd, listeners: Sequence[Listener]) -> None:
    """The exchange says nothing more, and these have heard all that it had said."""
    reader = crowd.witness.parts[0]
    await running.gate.fault({"kind": "silence", "channels": ["ticker.*"]})
    await reader.until_told("message", count_sent(running.simulator))
    last_seq = crowd.last_seq
    for listener in listeners:
        await listener.until_heard(last_seq)


async def come(gate: Gateway, token: str, listeners: Sequence[Listener], buffer_bytes: int | None = None) -> None:
    """All of these open a stream, some at once."""
    at_once = asyncio.Semaphore(20)

    async def one(listener: Listener) -> None:
        async with at_once:
            await listener.come(gate, token, buffer_bytes)

    async with asyncio.TaskGroup() as group:
        for listener in listeners:
            group.create_task(one(listener))


async def let_go(gate: Gateway, operator: str) -> int:
    """How many were let go as slow."""
    return int((await operation(gate, operator))["streams"]["slow"])


async def stall(running: Scene, crowd: Crowd, operator: str) -> Grown:
    """Some stop reading, the exchange goes on and falls silent, and everybody else has heard it: what was kept."""
    gate, began_seq = running.gate, crowd.last_seq
    port = int(gate.url.rpartition(":")[2])
    resident_before, kernel_before = resident_bytes(gate), kernel_bytes(port)
    for listener in crowd.slow:
        listener.parts[0].stop_reading()
    await gate.end_faults()
    await crowd.more(STALLED, WITHIN_S)
    await falls_silent(running, crowd, crowd.reading)
    assert await let_go(gate, operator) == len(crowd.strict)
    return Grown(
        len(crowd.slow) * (crowd.last_seq - began_seq) * EVENT_BYTES,
        resident_bytes(gate) - resident_before,
        kernel_bytes(port) - kernel_before,
    )


async def resume(running: Scene, crowd: Crowd, token: str) -> None:
    """They read again; who was let go reads why, and comes back. They have what they are owed, and go on with all."""
    last_seq = crowd.last_seq
    for listener in crowd.slow:
        listener.parts[0].read_again()
    for listener in crowd.strict:
        await listener.parts[0].until_ended()
    # All at once: a page of a replay is larger than the backlog here, and is none.
    await come(running.gate, token, crowd.strict)
    for listener in crowd.strict:
        await listener.until_heard(last_seq)
    for listener in crowd.lazy:
        await listener.until_heard(last_seq)
    await running.gate.end_faults()
    await crowd.more(AFTERWARDS, WITHIN_S)
    await falls_silent(running, crowd, crowd.all)


def check_counts(crowd: Crowd, log: Sequence[Word]) -> str:
    """Asserts that each has heard what he is owed, and that the sums agree. In words."""
    for listener in (*crowd.reading, *crowd.strict):
        listener.check_whole(log)
    conflated = [listener.conflated(log) for listener in crowd.lazy]
    assert min(conflated) > STALLED / 3, "somebody who wanted the newest was told nearly everything"
    heard = sum(listener.heard for listener in crowd.all)
    assert heard + sum(conflated) == sum(len(listener.owed(log)) for listener in crowd.all)
    return f"{STREAMS} streams heard {heard:,} events of {len(log):,} publications, {sum(conflated):,} were conflated"


@pytest.mark.timeout(120 + 4 * REACH / RATE)
async def test_who_stops_reading_costs_the_others_nothing(tmp_path: Path) -> None:
    """Promise: when some stop reading under events of 10 kB, all others get every event; memory of process and kernel
    stays bounded; who wanted everything is let go as `slow` and has it all after a resume; who wanted the newest is
    kept and has it; and what was told to all together, with what was conflated, is what they were owed.
    """
    crowd = a_crowd()
    async with scene(tmp_path, ROOM, market=large_market(tmp_path)) as running:
        token, _ = await running.gate.login()
        reader = await crowd.witness.come(running.gate, token)
        await reader.until_told("message", len(TICKERS))
        operator = await running.gate.operator()
        await come(running.gate, token, crowd.quick)
        await come(running.gate, token, crowd.slow, SMALL_BUFFER_BYTES)
        assert set(send_buffers(int(running.gate.url.rpartition(":")[2]))) == {2 * KERNEL_BYTES}
        await reader.until_told("message", REACH, within_s=WITHIN_S)
        await falls_silent(running, crowd, crowd.all)
        grown = await stall(running, crowd, operator)
        await resume(running, crowd, token)
        assert await let_go(running.gate, operator) == len(crowd.strict)
        for listener in crowd.all:
            listener.parts[-1].leave()
        log = crowd.witness.words
        check_sent(log, running.simulator)
    check_order_of(log, crowd.witness.first_seq)
    told = check_counts(crowd, log)
    for listener in crowd.strict:
        assert (listener.openings, listener.farewells) == (["fresh", "complete"], ["slow"])
        assert listener.parts[1].counts["snapshot"] == 0
    for listener in (*crowd.reading, *crowd.lazy):
        assert (listener.openings, listener.farewells) == (["fresh"], [])
    assert grown.unread_bytes > max(RESIDENT_LIMIT_BYTES, KERNEL_LIMIT_BYTES), "too little was left unread to tell"
    assert grown.resident_bytes <= RESIDENT_LIMIT_BYTES
    assert SLOW * KERNEL_BYTES < grown.kernel_bytes <= KERNEL_LIMIT_BYTES
    # For the long form, whose figures are kept.
    sys.stdout.write(f"{told}; {grown}\n")
