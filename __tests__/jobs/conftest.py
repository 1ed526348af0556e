"""A migrated database of each test's own."""

from collections.abc import AsyncIterator

import pytest

from __tests__.jobs.world import World
from cryptomarket.db import Database


@pytest.fixture
async def world(store_url: str) -> AsyncIterator[World]:
    database = Database(store_url)
    yield World(database)
    await database.close()
