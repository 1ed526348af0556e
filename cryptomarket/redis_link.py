"""The connection to the Redis of the settings, and what is said when it can't be made."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cryptomarket.backplane.redis import Patience, RedisLink
from cryptomarket.clock import Clock
from cryptomarket.errors import BusUnavailable, StartRefused
from cryptomarket.settings import Settings


def link_to_redis(settings: Settings, *, new_epoch: Callable[[], str], clock: Clock) -> RedisLink:
    """Not connected yet. Raises StartRefused for an address that can't be."""
    return RedisLink(
        settings.redis_address,
        settings.exchange.value,
        instance=secrets.token_hex(8),
        new_epoch=new_epoch,
        replica_url=settings.redis_replica_url.get_secret_value(),
        read_replicas=settings.redis_read_replicas,
        patience=patience_of(settings),
        monotonic_s=clock.monotonic_s,
    )


def patience_of(settings: Settings) -> Patience:
    """How long Redis is waited for."""
    return Patience(
        timeout_s=settings.redis_timeout_s,
        connect_timeout_s=settings.redis_connect_timeout_s,
        look_s=settings.redis_look_s,
        replica_rest_s=settings.redis_replica_rest_s,
    )


@contextmanager
def at_start() -> Iterator[None]:
    """A Redis that is away inside is StartRefused: what begins without it has a wrong address more often than bad
    luck.
    """
    try:
        yield
    except BusUnavailable as away:
        raise StartRefused(
            f"Redis cannot be reached: {away.detail} Is REDIS_URL or REDIS_HOST right, and Redis up?"
        ) from None


async def check_redis(settings: Settings) -> None:
    """Connects to the Redis of the settings, and leaves it as it is. Raises StartRefused when that can't be."""
    link = link_to_redis(settings, new_epoch=str, clock=Clock.system())
    try:
        with at_start():
            await link.begin()
    finally:
        await link.close()
