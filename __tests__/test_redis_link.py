"""What begins without its Redis is refused with one sentence, and a Redis that was looked at is as it was."""

from pathlib import Path

import pytest

from __tests__.backplane.redis_server import RedisSentinel, free_port
from __tests__.journeys.scaled import own_redis
from cryptomarket.errors import BusUnavailable, StartRefused
from cryptomarket.redis_link import at_start, check_redis
from cryptomarket.settings import Settings


def settings_of(url: str) -> Settings:
    return Settings.model_validate({"redis_url": url})


async def test_a_redis_is_looked_at_and_left_as_it_is() -> None:
    """Promise: a look writes nothing; another password is told, and not shown."""
    with own_redis() as redis, redis.client() as client:
        await check_redis(settings_of(f"redis://127.0.0.1:{redis.port}/0"))
        assert client.dbsize() == 0
        client.config_set("requirepass", "right")
        with pytest.raises(StartRefused, match="wants another user or password") as refused:
            await check_redis(settings_of(f"redis://:wrong-one@127.0.0.1:{redis.port}/0"))
        client.config_set("requirepass", "")
    assert "wrong-one" not in str(refused.value)


async def test_a_sentinel_that_wants_a_password_is_told_from_one_that_names_nobody(tmp_path: Path) -> None:
    """Promise: who has a Sentinel with a password is told that none can be given to it, and not to look for a name."""
    with own_redis() as redis:
        sentinel = RedisSentinel(tmp_path, redis.port)
        sentinel.start(with_replica=False)
        try:
            with pytest.raises(StartRefused, match=r"a primary called 'other'\. Is REDIS_URL"):
                await check_redis(settings_of(sentinel.url.replace("main", "other")))
            with sentinel.client() as client:
                client.execute_command("ACL", "SETUSER", "default", "resetpass", ">right")
            with pytest.raises(StartRefused, match="a primary called 'main'; one wants a password, and has none"):
                await check_redis(settings_of(sentinel.url))
        finally:
            sentinel.stop()


async def test_a_redis_that_is_away_is_one_sentence() -> None:
    """Promise: whoever starts is told what to look at."""
    with pytest.raises(StartRefused, match=r"^Redis cannot be reached: .*127.* Is REDIS_URL or REDIS_HOST right"):
        await check_redis(settings_of(f"redis://127.0.0.1:{free_port()}/0"))
    with pytest.raises(StartRefused, match=r"^Redis cannot be reached: It is tired\. Is REDIS_URL"), at_start():
        raise BusUnavailable("It is tired.")
