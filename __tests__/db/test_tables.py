import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from cryptomarket.db import Database
from cryptomarket.db.tables import store


async def test_there_is_one_owner(database: Database) -> None:
    """Two processes that start at once with different exchanges can't both own the store."""
    await database.claim("test")
    for id_ in (1, 2):
        with pytest.raises(IntegrityError):
            async with database.begin() as connection:
                await connection.execute(store.insert().values(id=id_, exchange="production", created_ms=1))
    async with database.read() as connection:
        assert (await connection.execute(select(store.c.exchange))).scalars().all() == ["test"]
