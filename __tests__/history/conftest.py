"""A migrated database of each test's own."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from __tests__.history.outside import outside
from __tests__.history.world import StoppedClock
from cryptomarket.db import Database
from cryptomarket.history.repository import Repository


@pytest.fixture
async def database(store_url: str) -> AsyncIterator[Database]:
    database = Database(store_url)
    yield database
    await database.close()


@pytest.fixture
def repository(database: Database) -> Repository:
    return Repository(database)


@pytest.fixture
def stopped() -> StoppedClock:
    return StoppedClock()


@pytest.fixture
async def client(repository: Repository, stopped: StoppedClock) -> AsyncIterator[httpx2.AsyncClient]:
    async with outside(repository, stopped.clock) as client:
        yield client
