"""A person stays in the cache 27 hours from his last use, and reaches the database."""

from pathlib import Path

import pytest

from __tests__.accounts.world import START_US, Hands
from cryptomarket.accounts.person import Person, Profile
from cryptomarket.accounts.profiles import LIFE_S, Profiles
from cryptomarket.accounts.repository import AccountsRepository
from cryptomarket.backplane.memory import MemoryCache

START_MS = START_US // 1000
HOUR_S = 3600


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def cache(hands: Hands) -> MemoryCache:
    return MemoryCache(lambda: hands.now_s)


@pytest.fixture
def profiles(cache: MemoryCache, repository: AccountsRepository, hands: Hands) -> Profiles:
    return Profiles(cache, repository, now_ms=hands.clock().wall_ms)


@pytest.fixture
async def person(repository: AccountsRepository) -> Person:
    profile = Profile(7, "a@example.com", "a", "a-system", "main")
    return await repository.identify("simulator", profile, new_user_id="u_1", now_ms=START_MS)


async def test_it_stays_27_hours_and_each_use_renews_that(
    profiles: Profiles, cache: MemoryCache, person: Person, hands: Hands
) -> None:
    """26 hours of rest are nothing; 27 end it."""
    assert LIFE_S == 27 * HOUR_S
    await profiles.keep(person)
    hands.forward(26 * HOUR_S)
    await profiles.seen("u_1")
    hands.forward(26 * HOUR_S)
    assert len(await cache.keys("person:")) == 1
    hands.forward(1 * HOUR_S)
    assert await cache.keys("person:") == []


async def test_last_seen_is_told_at_once_and_written_by_the_flush(
    profiles: Profiles, repository: AccountsRepository, person: Person, hands: Hands
) -> None:
    """Nothing is written per request; the flush writes everybody, and may be done twice."""
    await profiles.keep(person)
    hands.forward(120)
    await profiles.seen("u_1")
    told = await profiles.get("u_1")
    assert told is not None
    assert told.last_seen_ms == START_MS + 120_000
    stored = await repository.person("u_1")
    assert stored is not None
    assert stored.last_seen_ms == START_MS
    assert await profiles.flush() == 1
    assert await profiles.flush() == 1
    assert await repository.person("u_1") == told


async def test_many_requests_in_a_minute_renew_once(
    profiles: Profiles, cache: MemoryCache, person: Person, hands: Hands
) -> None:
    """A busy user costs the cache one write a minute."""
    await profiles.keep(person)
    before = await cache.get("person:u_1")
    hands.forward(59)
    await profiles.seen("u_1")
    assert await cache.get("person:u_1") == before
    hands.forward(1)
    await profiles.seen("u_1")
    assert await cache.get("person:u_1") != before


async def test_one_who_is_not_in_the_cache_is_read_from_the_database(profiles: Profiles, person: Person) -> None:
    """An emptied cache forgets nobody, and makes nobody up."""
    assert await profiles.get("u_1") == person
    assert await profiles.get("k_nobody") is None
    await profiles.seen("k_nobody")
    assert await profiles.flush() == 0


async def test_a_flush_of_more_than_one_batch_writes_all(
    profiles: Profiles, repository: AccountsRepository, tmp_path: Path
) -> None:
    """Twelve hundred persons leave none behind."""
    persons = [Person(f"u_{n}", "simulator", n, None, None, None, None, 1, 1) for n in range(1200)]
    await repository.add_persons(persons)
    for one in persons:
        await profiles.keep(one.described(Profile(one.deribit_id, username="later"), last_seen_ms=START_MS))
    assert await profiles.flush() == 1200
    for number in (0, 499, 500, 1199):
        stored = await repository.person(f"u_{number}")
        assert stored is not None
        assert (stored.username, stored.last_seen_ms) == ("later", START_MS)
