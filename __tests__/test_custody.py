"""Keys and persons are looked after without the rest of the gateway, in the same store."""

from pathlib import Path

import pytest

from cryptomarket.clock import Clock
from cryptomarket.custody import create_key, list_keys, mint_persons, revoke_key
from cryptomarket.errors import Impossible, NotFound, StartRefused, Unauthenticated
from cryptomarket.foundation import accounts_on, memory_backplane, open_database
from cryptomarket.market.instruments import Exchange
from cryptomarket.secret import Secret
from cryptomarket.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A testing store in a folder of its own."""
    return Settings(data_dir=tmp_path, project_mode="testing")


async def holds(settings: Settings, key: str) -> bool:
    """Whether a gateway on this store accepts an API key."""
    clock = Clock.system()
    backplane = memory_backplane(clock)
    async with open_database(settings) as database:
        accounts = accounts_on(
            settings, database, backplane, clock, on_revoked=lambda subject: None, on_seen=lambda user_id: None
        )
        try:
            return "operator" in (await accounts.keys.holder(Secret(key))).scope
        except Unauthenticated:
            return False


async def test_a_key_opens_until_it_is_ended(settings: Settings) -> None:
    """Promise: what the command made, the gateway accepts; what it ended, no more; others are not touched."""
    key, other = (
        await create_key(settings, "one", "operator", None),
        await create_key(settings, "two", "operator", None),
    )
    assert await holds(settings, key)
    key_id = key.split("_")[1]
    await revoke_key(settings, key_id)
    assert not await holds(settings, key)
    assert await holds(settings, other)
    lines = {line.split()[0]: line for line in await list_keys(settings)}
    assert lines[key_id] == f"{key_id}  one  operator  -  revoked"
    assert lines[other.split("_")[1]].endswith("two  operator  -  valid")


async def test_a_persons_key_is_a_persons(settings: Settings) -> None:
    """Promise: a key can act for somebody who is known, and for nobody else."""
    [minted] = await mint_persons(settings, 1)
    assert not await holds(settings, await create_key(settings, "bot", "person", minted.user_id))
    [line] = await list_keys(settings)
    assert line.split()[1:] == ["bot", "person", minted.user_id, "valid"]
    with pytest.raises(NotFound):
        await create_key(settings, "bot", "person", "u_nobody")


async def test_what_cannot_be_a_key(settings: Settings) -> None:
    """Promise: a scope that nobody knows gives no key."""
    with pytest.raises(Impossible, match="person, operator"):
        await create_key(settings, "x", "king", None)
    with pytest.raises(NotFound):
        await revoke_key(settings, "nobody")
    assert await list_keys(settings) == []


async def test_another_exchanges_store_is_left_alone(settings: Settings, tmp_path: Path) -> None:
    """Promise: commands refuse a store of another exchange, as the gateway does."""
    await create_key(settings, "x", "operator", None)
    other = Settings(data_dir=tmp_path, sqlite_path=settings.database_path, exchange=Exchange.TEST)
    with pytest.raises(StartRefused, match="simulator"):
        await create_key(other, "x", "operator", None)
