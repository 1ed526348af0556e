"""Fixtures of this room."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from __tests__.accounts.world import World, open_world
from cryptomarket.accounts.repository import AccountsRepository
from cryptomarket.db import Database


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path) as opened:
        yield opened


@pytest.fixture
async def repository(store_url: str) -> AsyncIterator[AccountsRepository]:
    database = Database(store_url)
    yield AccountsRepository(database)
    await database.close()
