"""A listener that waits for what it wants to hear, and a pool beside a simulator."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from cryptomarket.clock import Clock
from cryptomarket.deribit.auth import ClientKey
from cryptomarket.deribit.pool import Heard, Pool, PoolEvent, PoolOptions
from cryptomarket.secret import Secret
from cryptomarket.simulator.server import RunningSimulator

DEADLINE_S = 20.0
BTC, ETH = "deribit_price_index.btc_usd", "deribit_price_index.eth_usd"
Kind = TypeVar("Kind", bound=PoolEvent)


class Ears:
    """Everything the pool told, in order, and a way to wait for more of it."""

    def __init__(self) -> None:
        self.events: list[PoolEvent] = []
        self._more = asyncio.Event()

    def __call__(self, event: PoolEvent) -> None:
        self.events.append(event)
        self._more.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Waits until a condition holds that changes with what is heard."""
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                self._more.clear()
                await self._more.wait()

    async def hear(
        self, kind: type[Kind], *, which: Callable[[Kind], bool] = lambda event: True, after: int = 0
    ) -> Kind:
        """The first event of a kind, at or after a place in `events`."""
        found: list[Kind] = []

        def heard() -> bool:
            found[:] = [event for event in self.events[after:] if isinstance(event, kind) and which(event)][:1]
            return bool(found)

        await self.until(heard)
        return found[0]

    def told(self, kind: type[Kind]) -> list[Kind]:
        return [event for event in self.events if isinstance(event, kind)]

    def heard_on(self, channel: str) -> int:
        return sum(1 for event in self.told(Heard) if event.channel == channel)


async def eventually(condition: Callable[[], bool]) -> None:
    """For what no event tells of: looks again and again, up to a deadline."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110  # the simulator has no event for it
            await asyncio.sleep(0.005)  # sleep: between two looks, under a deadline


def applied(simulator: RunningSimulator) -> int:
    """How often the faults were applied that are on now."""
    return sum(int(fault["applied"] or 0) for fault in simulator.exchange.faults.report())


def demo_key(number: int = 1, secret: str | None = None) -> ClientKey:
    """One of the simulator's accounts."""
    return ClientKey(f"demo-{number}", Secret(secret or f"demo-{number}-secret"))


def options_for(simulator: RunningSimulator, **changes: object) -> PoolOptions:
    """A small, quick pool: two data slots and a login slot."""
    values: dict[str, object] = {
        "ws_url": simulator.ws_url,
        "size": 3,
        "login_slots": 1,
        "backoff_base_s": 0.02,
        "backoff_cap_s": 0.2,
        "request_timeout_s": 5.0,
        "close_timeout_s": 0.5,
        **changes,
    }
    return PoolOptions(**values)  # type: ignore[arg-type]  # a test names options freely


@asynccontextmanager
async def running_pool(options: PoolOptions, ears: Ears) -> AsyncIterator[Pool]:
    """A pool that runs, and is closed at the end."""
    pool = Pool(options, ears, clock=Clock.system(), random=random.Random(7).random)
    run = asyncio.create_task(pool.run())
    try:
        yield pool
    finally:
        run.cancel()
        await asyncio.wait([run])
        assert run.cancelled(), run
