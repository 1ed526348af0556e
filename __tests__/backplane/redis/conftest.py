"""One redis-server per worker, emptied for each test."""

import itertools
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from __tests__.backplane.redis_server import RedisServer
from cryptomarket.backplane.redis import RedisLink

EPOCHS = itertools.count(1)


@pytest.fixture(scope="session")
def started() -> Iterator[RedisServer]:
    # A socket's path is short (108 bytes on Linux), so it isn't in the tests' own long folders.
    with tempfile.TemporaryDirectory(prefix="redis") as folder:
        server = RedisServer(Path(folder))
        server.start()
        yield server
        server.stop()


@pytest.fixture
def server(started: RedisServer) -> RedisServer:
    with started.client() as client:
        client.flushall()
    return started


@pytest.fixture
async def link(server: RedisServer) -> AsyncIterator[RedisLink]:
    link = RedisLink(server.url, "test", new_epoch=lambda: f"e{next(EPOCHS)}")
    yield link
    await link.close()
