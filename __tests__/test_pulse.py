"""What processes tell one another of how they are."""

import asyncio

import pytest

from cryptomarket.backplane.memory import MemoryCache
from cryptomarket.errors import BusUnavailable
from cryptomarket.pulse import SILENT_BEATS, IngestPulse, Pulses, SessionPulse, StorePulse

SESSION = SessionPulse(slot=3, purpose="data", state="ready", since_ms=1_790_165_113_481, channels=2)
INGEST = IngestPulse(True, [SESSION], ["btc_usd"], ["btc_usd"], ["btc_usd"], [], 50_000, 0)


class Times:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now_s = 100.0


def pulses(times: Times, cache: MemoryCache, process: str, *own: IngestPulse | StorePulse) -> Pulses:
    return Pulses(cache, process=process, beat_s=1.0, own=[lambda pulse=pulse: pulse for pulse in own])  # type: ignore[misc]


async def test_each_process_knows_what_all_have_told() -> None:
    """Promise: a process that hears nothing itself knows how those are who do."""
    times = Times()
    cache = MemoryCache(lambda: times.now_s)
    listener = pulses(times, cache, "c")
    await pulses(times, cache, "a", INGEST).beat()
    await pulses(times, cache, "b", StorePulse(7)).beat()
    await listener.beat()
    assert listener.ingests == [INGEST]
    assert listener.stores == [StorePulse(7)]


async def test_who_dies_is_silent_soon() -> None:
    """Promise: a process that was killed is not believed to hear."""
    times = Times()
    cache = MemoryCache(lambda: times.now_s)
    listener = pulses(times, cache, "c")
    await pulses(times, cache, "a", INGEST).beat()
    times.now_s += 3.9
    await listener.beat()
    assert listener.ingests == [INGEST]
    times.now_s += 0.2
    await listener.beat()
    assert listener.ingests == []


async def test_that_nobody_hears_is_believed_after_some_beats() -> None:
    """Promise: one beat without a word is no reason to tell every stream that its feeds are down; some are."""
    times = Times()
    cache = MemoryCache(lambda: times.now_s)
    listener = pulses(times, cache, "c")
    believed = []
    for _ in range(SILENT_BEATS):
        await listener.beat()
        believed.append(listener.nobody_hears)
    assert believed == [False] * (SILENT_BEATS - 1) + [True]
    await pulses(times, cache, "a", INGEST).beat()
    await listener.beat()
    believed.append(listener.nobody_hears)
    assert believed[-1] is False


async def test_who_ends_in_order_takes_back_his_word() -> None:
    """Promise: after an orderly end nobody waits for a life to lapse."""
    times = Times()
    cache = MemoryCache(lambda: times.now_s)
    ending = pulses(times, cache, "a", INGEST)
    told = asyncio.Event()
    ending.on_beat = told.set
    running = asyncio.create_task(ending.run())
    async with asyncio.timeout(10):
        await told.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await cache.keys("") == []


async def test_a_bus_that_is_away_ends_nothing() -> None:
    """Promise: the pulse goes on when the bus is back."""

    class Away(MemoryCache):
        """A cache that can't be reached once."""

        failed = asyncio.Event()

        async def put(self, key: str, value: bytes, *, life_s: float) -> None:
            if not self.failed.is_set():
                self.failed.set()
                raise BusUnavailable("The bus is away.")
            await super().put(key, value, life_s=life_s)

    cache = Away(lambda: 0.0)
    pulse = Pulses(cache, process="a", beat_s=0.01, own=[lambda: INGEST])
    told = asyncio.Event()
    pulse.on_beat = told.set
    running = asyncio.create_task(pulse.run())
    async with asyncio.timeout(10):
        await told.wait()
    running.cancel()
    await asyncio.wait([running])
    assert cache.failed.is_set()
    assert pulse.ingests == [INGEST]
