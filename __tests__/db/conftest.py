"""A migrated database of each test's own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cryptomarket.db import Database, migrate


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'store.sqlite3'}"


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    await migrate(url)
    database = Database(url, clock=lambda: 1_790_165_113.481)
    yield database
    await database.close()
