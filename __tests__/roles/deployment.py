"""Roles of one gateway, each as if in a process of its own: on a real Redis, a real PostgreSQL, and a simulator."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from __tests__.backplane.redis_server import shared_server
from __tests__.postgres_server import PASSWORD, SUPERUSER, PostgresServer
from cryptomarket.operation import OperationParts
from cryptomarket.roles.role import Role
from cryptomarket.runtime import Runtime, running
from cryptomarket.settings import Settings
from cryptomarket.simulator.options import SimulatorOptions
from cryptomarket.simulator.server import RunningSimulator
from cryptomarket.simulator.server import running as simulating

LOOK_S = 0.02


@dataclass(frozen=True)
class Deployment:
    """What its processes share."""

    settings: Settings
    simulator: RunningSimulator

    @asynccontextmanager
    async def process(self, role: Role) -> AsyncIterator[Runtime]:
        """One more of them."""
        async with running(self.settings, ws_url=self.simulator.ws_url, role=role) as runtime:
            yield runtime


@asynccontextmanager
async def deployment(folder: Path, postgres: PostgresServer, **settings: object) -> AsyncIterator[Deployment]:
    """An empty Redis and a new database, and an exchange that speaks ten times a second."""
    server = shared_server()
    with server.client() as client:
        client.flushall()
    async with simulating(SimulatorOptions(port=0, index_period_s=0.1)) as simulator:
        given = {
            "project_mode": "testing",
            "exchange": "simulator",
            "debug": False,
            "data_dir": folder,
            "redis_url": f"unix://{quote(str(server.socket))}",
            "postgres_host": "127.0.0.1",
            "postgres_port": postgres.port,
            "postgres_db": postgres.new_database(),
            "postgres_user": SUPERUSER,
            "postgres_password": PASSWORD,
            "seal_secret": "a seal secret of a test, long enough",
            "token_key": "a token key of a test, long enough for HS256",
            "pool_size": 6,
            "login_slots": 2,
            "slot_lease_s": 0.6,
            "pulse_s": 0.1,
            "demand_check_s": 0.1,
            "session_backoff_base_s": 0.05,
            "session_backoff_cap_s": 0.2,
            **settings,
        }
        yield Deployment(Settings.model_validate(given), simulator)


def told_by(runtime: Runtime) -> OperationParts:
    """What a process says of itself and of the others."""
    told = runtime.state["operation"]
    assert isinstance(told, OperationParts)
    return told


async def comes_true(condition: Callable[[], object], *, within_s: float = 20) -> None:
    """Waits for something that announces itself nowhere."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(LOOK_S)  # sleep: between two looks
