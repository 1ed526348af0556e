import pytest
from sqlalchemy.exc import NoResultFound

from cryptomarket.db import Database
from cryptomarket.db.repository import answer, owner, wait_for_other_migrations


async def test_a_store_says_whose_it_is(database: Database) -> None:
    """A store without an owner has none; afterwards it is the first one's."""
    async with database.read() as connection:
        with pytest.raises(NoResultFound):
            await owner(connection)
    await database.claim("test")
    async with database.read() as connection:
        assert await owner(connection) == "test"


async def test_asking_changes_nothing(database: Database) -> None:
    """A ping, and waiting for other upgrades where there can be none, leave the connection as it was."""
    async with database.begin() as connection:
        await answer(connection)
        await connection.run_sync(wait_for_other_migrations)
        assert connection.in_transaction()
