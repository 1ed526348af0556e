"""Identities, keys and revocations in a real database."""

import asyncio

from cryptomarket.accounts.person import Person, Profile
from cryptomarket.accounts.repository import AccountsRepository, StoredKey

PROFILE = Profile(7, "a@example.com", "a", "a-system", "main")


async def test_an_account_is_one_person_for_ever(repository: AccountsRepository) -> None:
    """The second login finds the identity of the first, with what the exchange says now."""
    first = await repository.identify("simulator", PROFILE, new_user_id="u_1", now_ms=10)
    again = await repository.identify("simulator", Profile(7, "b@example.com"), new_user_id="u_2", now_ms=20)
    assert first == Person("u_1", "simulator", 7, "a@example.com", "a", "a-system", "main", 10, 10)
    assert again == Person("u_1", "simulator", 7, "b@example.com", None, None, None, 10, 20)


async def test_the_same_number_at_another_exchange_is_somebody_else(repository: AccountsRepository) -> None:
    """A person is unique by exchange and deribit id together."""
    first = await repository.identify("simulator", PROFILE, new_user_id="u_1", now_ms=10)
    other = await repository.identify("test", PROFILE, new_user_id="u_2", now_ms=10)
    assert (first.user_id, other.user_id) == ("u_1", "u_2")


async def test_ten_first_logins_at_once_are_one_person(repository: AccountsRepository) -> None:
    """Whoever comes first gives the identity; all get the same."""
    found = await asyncio.gather(
        *(repository.identify("simulator", PROFILE, new_user_id=f"u_{n}", now_ms=n) for n in range(10))
    )
    assert len({person.user_id for person in found}) == 1


async def test_an_older_profile_never_overwrites_a_newer_one(repository: AccountsRepository) -> None:
    """Two processes write down their caches in any order: the later sight stays, and strangers are not created."""
    person = await repository.identify("simulator", PROFILE, new_user_id="u_1", now_ms=10)
    newer = person.described(Profile(7, "new@example.com"), last_seen_ms=30)
    older = person.described(Profile(7, "old@example.com"), last_seen_ms=20)
    stranger = Person("u_9", "simulator", 9, None, None, None, None, 1, 1)
    await repository.write_profiles([newer, stranger])
    await repository.write_profiles([older])
    await repository.write_profiles([])
    assert await repository.person("u_1") == newer
    assert await repository.person("u_9") is None


async def test_persons_are_added_in_bulk_and_never_twice(repository: AccountsRepository) -> None:
    """A batch leaves known accounts as they are, and the highest number is told per exchange."""
    await repository.identify("simulator", PROFILE, new_user_id="u_1", now_ms=10)
    batch = [Person(f"m_{n}", "simulator", n, None, None, None, None, 5, 5) for n in range(5, 10)]
    await repository.add_persons(batch)
    assert await repository.person("m_7") is None
    assert await repository.person("m_9") == batch[-1]
    assert await repository.highest_deribit_id("simulator") == 9
    assert await repository.highest_deribit_id("test") == 0


async def test_keys_are_found_listed_and_revoked_once(repository: AccountsRepository) -> None:
    """What was stored comes back whole; the newest is first; a second revocation is told."""
    old = StoredKey("k1", b"\x01" * 32, "first", None, "operator", 1, None)
    new = StoredKey("k2", b"\x02" * 32, "second", "u_1", "person", 2, None)
    for key in (old, new):
        await repository.add_key(key)
    assert await repository.key("k1") == old
    assert await repository.key("k3") is None
    assert [key.key_id for key in await repository.keys()] == ["k2", "k1"]
    assert await repository.revoke_key("k1", now_ms=9)
    assert not await repository.revoke_key("k1", now_ms=10)
    assert not await repository.revoke_key("k3", now_ms=10)
    stored = await repository.key("k1")
    assert stored is not None
    assert stored.revoked_ms == 9


async def test_revocations_are_kept_until_their_tokens_are_over(repository: AccountsRepository) -> None:
    """Revoking twice is once; what has expired is neither told nor kept."""
    await repository.revoke_token("a", expires_ms=100)
    await repository.revoke_token("a", expires_ms=100)
    await repository.revoke_token("b", expires_ms=200)
    assert await repository.revoked_tokens(now_ms=50) == {"a": 100, "b": 200}
    assert await repository.revoked_tokens(now_ms=100) == {"b": 200}
    assert await repository.forget_expired(now_ms=100) == 1
    assert await repository.revoked_tokens(now_ms=0) == {"b": 200}
