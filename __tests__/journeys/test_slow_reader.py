"""Readers that stop reading: let go or conflated, as they chose; nobody waits for them, and memory stays bounded."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from statistics import median

from __tests__.journeys.gateway import Gateway, Json
from __tests__.journeys.light import LightReader, chain_of, light_reader, lightly_reading
from __tests__.journeys.witness import Scene, comes_true, scene
from cryptomarket.simulator.options import SimulatorOptions

TICKERS = ("BTC-PERPETUAL", "ETH-PERPETUAL")
RUSH = SimulatorOptions(port=0, rate=450)
BACKLOG_BYTES = 262_144
BOUNDED = {
    "stream_backlog_bytes": str(BACKLOG_BYTES),
    "stream_farewell_s": "0.5",
    "log_capacity": "20000",
    "log_hard_capacity": "20000",
    "log_level": "INFO",
    "always_tickers": "BTC-PERPETUAL",
}
SMALL_BUFFER_BYTES = 4096
SLOW_READERS = 5
EVENT_BYTES = 1000
"""About the size of a perpetual's tick."""


def resident_bytes(gate: Gateway) -> int:
    """The memory of the gateway's process."""
    assert gate.process is not None
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{gate.process.pid}/status").read_text())
    assert found
    return int(found[1]) * 1024


def check_chains(*parts: LightReader) -> None:
    """Of each ticker, every event names the one before it, over all parts."""
    blocks = [block for part in parts for block in part.blocks]
    for ticker in TICKERS:
        chain = list(chain_of(blocks, ticker))
        assert len(chain) > 1
        assert all(after[0] == before[1] for before, after in pairwise(chain)), f"{ticker} has a hole"


async def some_readers(gate: Gateway, token: str, query: Mapping[str, str]) -> list[LightReader]:
    """Readers for whom the network keeps little, each past its first event."""
    readers = []
    for _ in range(SLOW_READERS):
        readers.append(await light_reader(gate, token, query, buffer_bytes=SMALL_BUFFER_BYTES))
        await readers[-1].until_told("connected")
    return readers


@asynccontextmanager
async def rush(folder: Path, **settings: str) -> AsyncIterator[tuple[Scene, str]]:
    """Hundreds of fat ticks a second, and a token."""
    async with scene(folder, BOUNDED | settings, market=RUSH) as running:
        token, _ = await running.gate.login()
        yield running, token


async def test_one_who_does_not_read_is_let_go_and_delays_nobody(tmp_path: Path) -> None:
    """Promise: with `mode=all`, whoever doesn't read is let go as `slow` and can resume without a hole; meanwhile
    others get every tick in time.
    """
    async with rush(tmp_path, stream_farewell_s="4") as (running, token):
        gate = running.gate
        operator = await gate.operator()
        query = {"tickers": ",".join(TICKERS)}
        async with lightly_reading(gate, token, **query) as quick, gate.client(operator) as client:
            await quick.until_told("message", 100)

            async def streams() -> Json:
                return (await client.get("/api/v2/operation")).json()["streams"]

            slow = await some_readers(gate, token, query)
            began = len(quick.blocks)
            for reader in slow:
                reader.stop_reading()

            async def all_let_go() -> bool:
                return bool((await streams())["slow"] == SLOW_READERS)

            await comes_true(all_let_go, within_s=30)
            # Some hear why, the others read again when nobody waits for them any more.
            prompt, late = slow[:2], slow[2:]
            for reader in prompt:
                reader.read_again()
                await reader.until_ended()
                assert [told.data["reason"] for told in reader.named("disconnected")] == ["slow"]
            await quick.until_told("message", quick.counts["message"] + 500)
            ticks = [block for block in quick.blocks[began:] if block.name == "message"]
            lags_us = [tick.came_us - tick.data["published_us"] for tick in ticks]
            assert median(lags_us) < 250_000
            check_chains(quick)

            async def nobody_waits() -> bool:
                return bool((await streams())["open"] == 1)

            await comes_true(nobody_waits)
            for reader in late:
                reader.read_again()
                await reader.until_ended()
                assert reader.named("disconnected") == []
            for first in slow:
                second = await light_reader(gate, token, query, last_id=first.last_id)
                await second.until_told("message", 100)
                second.leave()
                assert second.named("connected")[0].data["resume"] == "complete"
                assert second.named("snapshot") == []
                check_chains(first, second)


async def test_one_who_wants_the_newest_is_kept_and_gets_it(tmp_path: Path) -> None:
    """Promise: with `mode=latest`, whoever doesn't read is kept for as long as he likes; what waits for him is the
    newest of each ticker, and when he reads again he has it at once, in order and never twice.
    """
    async with rush(tmp_path) as (running, token):
        gate = running.gate
        query = {"tickers": ",".join(TICKERS)}
        async with lightly_reading(gate, token, **query) as quick:
            lazy = await light_reader(gate, token, query | {"mode": "latest"}, buffer_bytes=SMALL_BUFFER_BYTES)
            await lazy.until_told("message", 10)
            lazy.stop_reading()
            had, began = len(lazy.blocks), len(quick.blocks)
            await quick.until_told("message", quick.counts["message"] + 1000)
            missed = len(quick.blocks) - began
            newest_seq = quick.blocks[-1].data["seq"]
            lazy.read_again()

            async def has_caught_up() -> bool:
                await lazy.moved()
                return any(block.data["seq"] > newest_seq for block in lazy.named("message")[-4:])

            await comes_true(has_caught_up)
            assert len(lazy.blocks) - had < missed, "nothing was conflated"
            await lazy.until_told("message", lazy.counts["message"] + 50)
            ticks = [block.data for block in lazy.named("message")]
            seqs = [tick["seq"] for tick in ticks]
            assert seqs == sorted(set(seqs))
            for ticker in TICKERS:
                times = [tick["timestamp"] for tick in ticks if tick["ticker"] == ticker]
                assert times == sorted(times)
            assert not lazy.ended
            lazy.leave()


async def test_what_is_not_read_is_not_kept(tmp_path: Path) -> None:
    """Promise: memory does not grow with what slow readers of either mode leave unread."""
    async with rush(tmp_path, log_capacity="500", log_hard_capacity="500") as (running, token):
        gate = running.gate
        query = {"tickers": ",".join(TICKERS)}
        async with lightly_reading(gate, token, **query) as quick:
            slow = await some_readers(gate, token, query) + await some_readers(gate, token, query | {"mode": "latest"})
            await quick.until_told("message", 1000)  # the log is full from here on
            before_bytes, began = resident_bytes(gate), len(quick.blocks)
            for reader in slow:
                reader.stop_reading()
            await quick.until_told("message", quick.counts["message"] + 1500)
            unread_bytes = len(slow) * (len(quick.blocks) - began) * EVENT_BYTES
            assert resident_bytes(gate) - before_bytes < unread_bytes / 2
            for reader in slow:
                reader.leave()
