"""A thousand users of one ticker: one channel at the exchange, the same ticks for all, and an end of it."""

import asyncio
import resource
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from __tests__.journeys.commands import minted
from __tests__.journeys.gateway import Gateway, exact, reading
from __tests__.journeys.light import LightReader, light_reader, lightly_reading
from __tests__.journeys.witness import BUSY, Scene, check_order, check_truth, comes_true, hears, of, scene

TICKER = "sol_usdc"
CHANNEL = f"deribit_price_index.{TICKER}"
USERS = 1000
AT_ONCE = 50
TICKS_IN_COMMON = 3
LINGER_S = 1.0


@pytest.fixture(autouse=True)
def enough_files() -> None:
    """Two thousand sockets, half of them ours and half the gateway's, need more files than many systems allow."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 8192)), hard))


async def each(people: Iterable[tuple[str, str]], do: Callable[[str], Awaitable[None]]) -> None:
    """Does something for every person's token, some at once."""
    at_once = asyncio.Semaphore(AT_ONCE)

    async def of(token: str) -> None:
        async with at_once:
            await do(token)

    async with asyncio.TaskGroup() as group:
        for _, token in people:
            group.create_task(of(token))


async def change_sets(gate: Gateway, people: Sequence[tuple[str, str]], method: str, status: int) -> None:
    """Every one of them subscribes to the ticker, or cancels it."""
    limits = httpx.Limits(max_connections=AT_ONCE)
    async with gate.client(limits=limits) as client:

        async def change(token: str) -> None:
            headers = {"Authorization": f"Bearer {token}"}
            answer = await client.request(method, f"/api/v2/subscriptions/{TICKER}", headers=headers)
            assert answer.status_code == status, answer.text

        await each(people, change)


@asynccontextmanager
async def crowd(gate: Gateway, people: Sequence[tuple[str, str]], **query: str) -> AsyncIterator[list[LightReader]]:
    """One stream for each of them while the block runs."""
    readers = []

    async def opened(token: str) -> None:
        reader = await light_reader(gate, token, query)
        readers.append(reader)
        await reader.until_told("connected")

    try:
        await each(people, opened)
        yield readers
    finally:
        for reader in readers:
            reader.leave()


def is_open(running: Scene) -> bool:
    """Whether anybody follows the channel at the exchange."""
    return CHANNEL in running.simulator.exchange.subscriptions.followers()


async def closed_after(running: Scene) -> float:
    """Waits until the channel is closed; how long that took by the exchange's clock, in seconds."""
    began_us = running.simulator.now_us()
    await comes_true(lambda: not is_open(running), within_s=LINGER_S + 10)
    return (running.simulator.now_us() - began_us) / 1e6


async def told_on(running: Scene, seconds: float) -> None:
    """Waits until the exchange has told the channel's followers for so many seconds more."""
    ends_us = running.simulator.now_us() + seconds * 1e6
    journal = running.simulator.exchange.journal

    def has_told() -> bool:
        sent = exact(journal.sent(CHANNEL, None, 0).decode())["sent"]
        return bool(sent) and sent[-1]["sent_us"] >= ends_us

    await comes_true(has_told)


def check_same_ticks(readers: Sequence[LightReader]) -> None:
    """Over the time in which all of them listened, all got the same events, byte for byte."""
    told = [{block.id: block.text for block in reader.named("message")} for reader in readers]
    seqs = [[int(id_.rpartition("-")[2]) for id_ in of_one] for of_one in told]
    first, last = max(each[0] for each in seqs), min(each[-1] for each in seqs)
    common = [
        [(id_, text) for (id_, text), seq in zip(of_one.items(), numbers, strict=True) if first <= seq <= last]
        for of_one, numbers in zip(told, seqs, strict=True)
    ]
    assert len(common[0]) >= TICKS_IN_COMMON
    assert all(of_one == common[0] for of_one in common)


def check_retries(readers: Sequence[LightReader]) -> None:
    """Each was told once when to come back, between one and five seconds, and all of that time is used."""
    assert all(len(reader.retries_ms) == 1 for reader in readers)
    retries_ms = [reader.retries_ms[0] for reader in readers]
    assert all(1000 <= retry_ms <= 5000 for retry_ms in retries_ms)
    for second in range(1, 5):
        assert sum(retry_ms // 1000 == second for retry_ms in retries_ms) > len(readers) / 8


async def test_a_thousand_users_are_one_channel(tmp_path: Path) -> None:
    """Promise: half by saved set, half by `tickers=`, a thousand users open one channel and get the same ticks, none is
    refused, and each is told another time to come back; the channel closes after the linger, once the last saved set
    has cancelled and the last `tickers=` stream has ended.
    """
    # Patient: a crowd may keep a small machine busy for seconds, and a channel renewed for its silence is opened twice.
    patient = {"index_silence_s": "60", "request_timeout_s": "30", "demand_life_s": "60"}
    market = replace(BUSY, index_period_s=0.5)
    async with scene(tmp_path, {"demand_linger_s": str(LINGER_S), **patient}, market=market) as running:
        gate, journal = running.gate, running.simulator.exchange.journal
        people = await minted(gate, USERS)
        savers, askers = people[: USERS // 2], people[USERS // 2 :]
        await change_sets(gate, savers, "PUT", 201)
        async with crowd(gate, savers) as by_set, crowd(gate, askers, tickers=TICKER) as by_tickers:
            readers = [*by_set, *by_tickers]
            for reader, had in [(reader, len(reader.named("message"))) for reader in readers]:
                await reader.until_told("message", had + TICKS_IN_COMMON)
            check_same_ticks(readers)
            check_retries(readers)
            assert running.simulator.exchange.subscriptions.followers()[CHANNEL] == 1
        await told_on(running, 2 * LINGER_S)
        async with lightly_reading(gate, askers[0][1], tickers=TICKER) as last:
            await change_sets(gate, savers, "DELETE", 200)
            await told_on(running, 2 * LINGER_S)
            assert not last.ended
        assert await closed_after(running) >= 0.9 * LINGER_S
        assert journal.channels_opened[CHANNEL] == 1


async def test_a_set_whose_user_stays_away_stops_counting(tmp_path: Path) -> None:
    """Promise: a saved set counts for its life after its user was seen, then the channel closes though nobody has
    cancelled; the set stays saved, and when its user is back, the time between is a told gap.
    """
    lives = {"saved_set_life_s": "1.5", "demand_life_s": "1.5", "demand_linger_s": "0.5"}
    async with scene(tmp_path, lives) as running:
        token, _ = await running.gate.login()
        async with running.gate.client(token) as client:
            assert (await client.put(f"/api/v2/subscriptions/{TICKER}")).status_code == 201
            await comes_true(lambda: is_open(running))
            await told_on(running, 0.5)
            await closed_after(running)
        async with reading(running.gate, token) as reader:
            assert reader.named("connected")[0]["tickers"] == [TICKER]
            await hears(reader, TICKER, "gap:not_subscribed", "live", "tick", since=0)
            assert of(reader, TICKER, "snapshot")[0]["state"] != "live"
            check_order(reader)
            check_truth(reader, running.simulator, TICKER)
