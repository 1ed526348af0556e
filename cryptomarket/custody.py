"""Keys and persons looked after from the command line, without the rest of the gateway."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cryptomarket.accounts.mint import Minted, mint
from cryptomarket.accounts.parts import AccountsParts
from cryptomarket.accounts.tokens import read_scope
from cryptomarket.clock import Clock
from cryptomarket.errors import Impossible
from cryptomarket.foundation import accounts_on, memory_backplane, open_database
from cryptomarket.settings import Settings


@asynccontextmanager
async def _accounts_alone(settings: Settings) -> AsyncIterator[AccountsParts]:
    """The accounts without the rest, for commands that look after keys and persons."""
    clock = Clock.system()
    async with open_database(settings) as database:
        backplane = memory_backplane(clock)
        yield accounts_on(
            settings, database, backplane, clock, on_revoked=lambda _subject: None, on_seen=lambda _user_id: None
        )


async def create_key(settings: Settings, name: str, scope: str, user_id: str | None) -> str:
    """Makes an API key and gives its text. Raises Impossible, NotFound, StartRefused."""
    scopes = read_scope(scope)
    if not scopes:
        raise Impossible("A key's scope is person, operator, or both with a space between.", field="scope")
    async with _accounts_alone(settings) as accounts:
        return (await accounts.keys.create(name, scope=scopes, user_id=user_id)).text.reveal()


async def list_keys(settings: Settings) -> list[str]:
    """One line per API key: id, name, scope, owner, whether it is revoked."""
    async with _accounts_alone(settings) as accounts:
        return [
            f"{key.key_id}  {key.name}  {key.scope}  {key.user_id or '-'}  {'revoked' if key.revoked_ms else 'valid'}"
            for key in await accounts.keys.list()
        ]


async def revoke_key(settings: Settings, key_id: str) -> None:
    """Ends an API key. A running gateway learns of it within a second, from the database."""
    async with _accounts_alone(settings) as accounts:
        await accounts.keys.revoke(key_id)


async def mint_persons(settings: Settings, count: int) -> list[Minted]:
    """Persons and tokens for load tests. The caller refuses outside of testing."""
    async with _accounts_alone(settings) as accounts:
        return [
            minted
            async for minted in mint(
                count,
                repository=accounts.repository,
                tokens=accounts.tokens,
                now_ms=accounts.clock.wall_ms(),
                random_bytes=secrets.token_bytes,
            )
        ]
