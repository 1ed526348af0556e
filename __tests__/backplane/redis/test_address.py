"""Addresses of Redis."""

import pytest
from redis.asyncio.sentinel import SentinelConnectionPool

from cryptomarket.backplane.redis.address import Patience, pool_of
from cryptomarket.errors import StartRefused

PATIENCE = Patience(5.0, 2.0)


def test_a_server() -> None:
    """Promise: user, password, host and database are what the URL says, and nothing is tried twice."""
    pool = pool_of("redis://me:a%20b@cache:7000/3", PATIENCE, connections=4)
    told = pool.connection_kwargs
    assert (told["username"], told["password"], told["host"], told["port"], told["db"]) == (
        "me",
        "a b",
        "cache",
        7000,
        3,
    )
    assert told["socket_connect_timeout"] == 2.0
    assert told["retry"].get_retries() == 0
    assert pool.max_connections == 4


@pytest.mark.parametrize(
    ("url", "database"),
    [
        ("redis://host", 0),
        ("redis://host/", 0),
        ("rediss://host/12", 12),
        ("unix:///run/s", 0),
        ("unix:///run/s?db=4", 4),
    ],
)
def test_a_database_is_a_number(url: str, database: int) -> None:
    """Promise: the number that the URL says; a path of a socket is none."""
    assert pool_of(url, PATIENCE, connections=1).connection_kwargs.get("db", 0) == database


@pytest.mark.parametrize("replica", [False, True])
async def test_a_sentinel(replica: bool) -> None:
    """Promise: several Sentinels, a name, a database; the password is the servers' own."""
    url = "redis+sentinel://:s%2Fecret@one:1,two/the%20main/2"
    pool = pool_of(url, PATIENCE, connections=4, replica=replica)
    assert isinstance(pool, SentinelConnectionPool)
    assert (pool.service_name, pool.is_master) == ("the main", not replica)
    assert (pool.connection_kwargs["password"], pool.connection_kwargs["db"]) == ("s/ecret", 2)
    hosts = [client.connection_pool.connection_kwargs for client in pool.sentinel_manager.sentinels]
    assert [(host["host"], host["port"]) for host in hosts] == [("one", 1), ("two", 26379)]
    assert all(host["socket_timeout"] == 2.0 for host in hosts)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://:secret@host",
        "redis://:secret@host:notaport",
        "redis://:secret@host/secret",
        "rediss://:secret@host/0/1",
        "redis+sentinel://:secret@host",
        "redis+sentinel:///main",
        "redis+sentinel://:secret@host:x/main",
        "redis+sentinel://:secret@host,/main",
        "redis+sentinel://:secret@host/main?db=1",
        "redis://:secret@host/0?nonsense=banana",
        "redis://:secret@host/0?socket_timeout=1",
        "redis://:secret@host/0?decode_responses=1",
        "redis://:secret@host/0?password=another-secret",
        "unix:///run/s?db=secret",
        "rediss://:secret@host/0?ssl_cert_reqs=none",
        "redis+sentinel://:secret@host/main/zero",
    ],
)
def test_what_can_not_be_is_refused_without_its_password(url: str) -> None:
    """Promise: one sentence, and no secret in it."""
    with pytest.raises(StartRefused) as refused:
        pool_of(url, PATIENCE, connections=1)
    assert "secret" not in str(refused.value)
    assert refused.value.__cause__ is None
