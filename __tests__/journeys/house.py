"""A whole gateway in this process, over real sockets, so that what it holds in memory can be looked at."""

import asyncio
import gc
import types
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import uvicorn

from __tests__.journeys.gateway import Gateway
from __tests__.journeys.witness import BUSY, comes_true
from cryptomarket.app import create_app
from cryptomarket.runtime import Runtime, running
from cryptomarket.server import Server
from cryptomarket.settings import Settings
from cryptomarket.simulator.server import RunningSimulator
from cryptomarket.simulator.server import running as simulating

Kind = TypeVar("Kind")

# Beyond these lies everything else in this process: the test's own frames, and with them whatever it knows.
_DOORS = (
    types.ModuleType,
    types.FunctionType,
    types.BuiltinFunctionType,
    types.FrameType,
    types.CoroutineType,
    types.GeneratorType,
    types.AsyncGeneratorType,
    type,
    asyncio.Task,
    asyncio.AbstractEventLoop,
)


@dataclass(frozen=True)
class House:
    """The gateway, how to reach it, and its exchange."""

    runtime: Runtime
    gate: Gateway
    simulator: RunningSimulator


@asynccontextmanager
async def house(folder: Path, **settings: object) -> AsyncIterator[House]:
    """All of it until the block ends."""
    async with simulating(BUSY) as simulator:
        given = {
            "project_mode": "testing",
            "data_dir": folder / "data",
            "pool_size": 4,
            "session_backoff_base_s": 0.05,
            "session_backoff_cap_s": 0.5,
            "demand_check_s": 0.1,
            "demand_linger_s": 1,
            "stream_farewell_s": 1,
            "collect_index_prices_s": 0,
            "collect_tickers_s": 0,
            "repair_gaps_s": 0,
            "check_candles_s": 0,
            **settings,
        }
        chosen = Settings.model_validate(given)
        async with running(chosen, ws_url=simulator.ws_url) as runtime:
            app = create_app(runtime.state, exchange=chosen.exchange.value, body_limit_bytes=chosen.body_limit_bytes)
            config = uvicorn.Config(
                app, host="127.0.0.1", port=0, log_config=None, access_log=False, timeout_graceful_shutdown=5
            )
            server = Server(config, runtime.hub, "")
            serving = asyncio.create_task(server.serve())
            try:
                await comes_true(lambda: server.started or serving.done())
                port = server.servers[0].sockets[0].getsockname()[1]
                gate = Gateway(folder, url=f"http://127.0.0.1:{port}", simulator_url=simulator.http_url)
                yield House(runtime, gate, simulator)
            finally:
                server.stop()
                await serving


def living(kind: type[Kind]) -> list[Kind]:
    """Every object of a kind in this process."""
    return [found for found in gc.get_objects() if type(found) is kind]


def census(*kinds: type[object]) -> Counter[str]:
    """How many of each kind are alive, after the collector has taken what is not."""
    gc.collect()
    return Counter({kind.__name__: len(living(kind)) for kind in kinds})


def texts_within(*roots: object) -> Iterable[str]:
    """Every text that can be reached from these objects, bytes read as text."""
    seen: set[int] = set()
    waiting = list(roots)
    while waiting:
        found = waiting.pop()
        if id(found) in seen or isinstance(found, _DOORS):
            continue
        seen.add(id(found))
        if isinstance(found, str):
            yield found
        elif isinstance(found, bytes | bytearray):
            yield bytes(found).decode("latin-1")
        else:
            waiting += gc.get_referents(found)
            if isinstance(found, dict):
                waiting += found  # the collector does not look at names
