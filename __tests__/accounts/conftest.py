"""Fixtures of this room."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from __tests__.accounts.world import World, open_database, open_world
from cryptomarket.accounts.repository import AccountsRepository


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path) as opened:
        yield opened


@pytest.fixture
async def repository(tmp_path: Path) -> AsyncIterator[AccountsRepository]:
    async with open_database(tmp_path) as (database, _path):
        yield AccountsRepository(database)
