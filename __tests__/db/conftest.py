"""A migrated database of each test's own."""

from collections.abc import AsyncIterator

import pytest

from cryptomarket.db import Database

CLOCK_S = 1_790_165_113.481


@pytest.fixture
async def database(store_url: str) -> AsyncIterator[Database]:
    """On each database in turn."""
    database = Database(store_url, clock=lambda: CLOCK_S)
    yield database
    await database.close()


@pytest.fixture
async def sqlite(sqlite_url: str) -> AsyncIterator[Database]:
    """One whose file is `store.sqlite3`."""
    database = Database(sqlite_url, clock=lambda: CLOCK_S)
    yield database
    await database.close()


@pytest.fixture
async def postgresql(postgres_url: str) -> AsyncIterator[Database]:
    """One on a real server."""
    database = Database(postgres_url, clock=lambda: CLOCK_S)
    yield database
    await database.close()
