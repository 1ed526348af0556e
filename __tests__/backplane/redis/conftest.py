"""Redis for tests: one server per worker that is emptied for each, and one of a test's own that it may treat badly."""

import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from __tests__.backplane.redis_server import RedisServer, shared_server
from __tests__.backplane.redis_world import link_to
from cryptomarket.backplane.redis import RedisLink


@pytest.fixture
def server() -> RedisServer:
    server = shared_server()
    with server.client() as client:
        client.flushall()
    return server


@pytest.fixture
async def link(server: RedisServer) -> AsyncIterator[RedisLink]:
    async with link_to(server) as link:
        yield link


@pytest.fixture
def own() -> Iterator[RedisServer]:
    """What is written there is on the disk before it is answered."""
    with tempfile.TemporaryDirectory(prefix="redis") as folder:
        server = RedisServer(Path(folder), "--appendonly", "yes", "--appendfsync", "always")
        server.start()
        yield server
        server.stop(signal.SIGKILL)
