"""The only SQL of this room."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from sqlalchemy import RowMapping, bindparam, delete, func, select, update

from cryptomarket.accounts.person import Person, Profile
from cryptomarket.accounts.tables import api_keys, person, revoked_tokens
from cryptomarket.db import Database

_PROFILE_COLUMNS = ("email", "username", "system_name", "type")


@dataclass(frozen=True, slots=True)
class StoredKey:
    """An API key as stored: its digest, never itself. A key without `user_id` belongs to nobody but itself."""

    key_id: str
    digest: bytes
    name: str
    user_id: str | None
    scope: str
    created_ms: int
    revoked_ms: int | None


class AccountsRepository:
    """Persons, API keys and revoked tokens of one database. Every call raises DatabaseUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def identify(self, exchange: str, profile: Profile, *, new_user_id: str, now_ms: int) -> Person:
        """The person of this account; at first sight he is stored, as `new_user_id`."""
        of_account = select(person).where(person.c.exchange == exchange, person.c.deribit_id == profile.deribit_id)
        async with self._database.read() as connection:
            row = (await connection.execute(of_account)).mappings().one_or_none()
        if row is None:
            first = Person(
                user_id=new_user_id,
                exchange=exchange,
                first_seen_ms=now_ms,
                last_seen_ms=now_ms,
                **msgspec.structs.asdict(profile),
            )
            async with self._database.begin() as connection:
                # Of two first logins at once, one stores and both read the same identity.
                keys = ["exchange", "deribit_id"]
                await self._database.upsert(connection, person, [msgspec.structs.asdict(first)], keys=keys)
                row = (await connection.execute(of_account)).mappings().one()
        return _person(row).described(profile, last_seen_ms=now_ms)

    async def person(self, user_id: str) -> Person | None:
        async with self._database.read() as connection:
            row = (await connection.execute(select(person).where(person.c.user_id == user_id))).mappings().one_or_none()
        return None if row is None else _person(row)

    async def add_persons(self, persons: Sequence[Person]) -> None:
        """Stores persons that are new, and leaves out those whose account is known."""
        async with self._database.begin() as connection:
            rows = [msgspec.structs.asdict(one) for one in persons]
            await self._database.upsert(connection, person, rows, keys=["exchange", "deribit_id"])

    async def write_profiles(self, persons: Sequence[Person]) -> None:
        """Writes what is known of persons now. What the database has seen later than that stays."""
        if not persons:
            return
        statement = (
            update(person)
            .where(person.c.user_id == bindparam("of_user"), person.c.last_seen_ms <= bindparam("seen_ms"))
            .values(
                {name: bindparam(f"new_{name}") for name in _PROFILE_COLUMNS} | {"last_seen_ms": bindparam("seen_ms")}
            )
        )
        rows = [
            {"of_user": one.user_id, "seen_ms": one.last_seen_ms}
            | {f"new_{name}": getattr(one, name) for name in _PROFILE_COLUMNS}
            for one in persons
        ]
        async with self._database.begin() as connection:
            await connection.execute(statement, rows)

    async def highest_deribit_id(self, exchange: str) -> int:
        """0 when nobody of this exchange is known."""
        statement = select(func.max(person.c.deribit_id)).where(person.c.exchange == exchange)
        async with self._database.read() as connection:
            return (await connection.execute(statement)).scalar_one() or 0

    async def add_key(self, key: StoredKey) -> None:
        async with self._database.begin() as connection:
            await connection.execute(
                api_keys.insert().values(
                    key_id=key.key_id,
                    digest=key.digest,
                    name=key.name,
                    user_id=key.user_id,
                    scope=key.scope,
                    created_ms=key.created_ms,
                    revoked_ms=key.revoked_ms,
                )
            )

    async def key(self, key_id: str) -> StoredKey | None:
        async with self._database.read() as connection:
            found = (await connection.execute(select(api_keys).where(api_keys.c.key_id == key_id))).mappings()
            row = found.one_or_none()
        return None if row is None else StoredKey(**row)

    async def keys(self) -> list[StoredKey]:
        """All keys, the newest first."""
        statement = select(api_keys).order_by(api_keys.c.created_ms.desc(), api_keys.c.key_id)
        async with self._database.read() as connection:
            return [StoredKey(**row) for row in (await connection.execute(statement)).mappings()]

    async def revoke_key(self, key_id: str, *, now_ms: int) -> bool:
        """False when there is no such key, or it was revoked before."""
        statement = (
            update(api_keys)
            .where(api_keys.c.key_id == key_id, api_keys.c.revoked_ms.is_(None))
            .values(revoked_ms=now_ms)
        )
        async with self._database.begin() as connection:
            return (await connection.execute(statement)).rowcount == 1

    async def revoke_token(self, jti: str, *, expires_ms: int) -> None:
        async with self._database.begin() as connection:
            row = {"jti": jti, "expires_ms": expires_ms}
            await self._database.upsert(connection, revoked_tokens, [row], keys=["jti"])

    async def revoked_tokens(self, *, now_ms: int) -> dict[str, int]:
        """Ids of revoked tokens that would still be alive, with the millisecond in which they expire."""
        statement = select(revoked_tokens.c.jti, revoked_tokens.c.expires_ms).where(
            revoked_tokens.c.expires_ms > now_ms
        )
        async with self._database.read() as connection:
            return {row.jti: row.expires_ms for row in await connection.execute(statement)}

    async def count_revoked(self) -> int:
        """How many rows there are of revoked tokens, expired or not: a quick way to see that there are new ones."""
        async with self._database.read() as connection:
            return (await connection.execute(select(func.count()).select_from(revoked_tokens))).scalar_one()

    async def forget_expired(self, *, now_ms: int) -> int:
        """Removes revocations of tokens that have expired by themselves."""
        async with self._database.begin() as connection:
            statement = delete(revoked_tokens).where(revoked_tokens.c.expires_ms <= now_ms)
            return (await connection.execute(statement)).rowcount


def _person(row: RowMapping) -> Person:
    return Person(**row)
