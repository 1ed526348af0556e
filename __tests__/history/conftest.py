"""A migrated database of each test's own."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from __tests__.history.outside import outside
from __tests__.history.world import StoppedClock
from cryptomarket.db import Database, migrate
from cryptomarket.history.repository import Repository


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real revisions, run once."""
    path = tmp_path_factory.mktemp("template") / "store.sqlite3"
    asyncio.run(migrate(f"sqlite:///{path}"))
    return path


@pytest.fixture
async def database(template: Path, tmp_path: Path) -> AsyncIterator[Database]:
    path = shutil.copy(template, tmp_path / "store.sqlite3")
    database = Database(f"sqlite:///{path}")
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
