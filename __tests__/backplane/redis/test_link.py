"""RedisLink: a lost server is a value, a restart a new epoch."""

import signal
import tempfile
from pathlib import Path

import pytest

from __tests__.backplane.redis_server import RedisServer
from __tests__.backplane.redis_world import link_to
from cryptomarket.backplane.redis import RedisCache, RedisLeases
from cryptomarket.errors import BusUnavailable


@pytest.mark.parametrize("data_kept", [True, False])
async def test_restart(data_kept: bool) -> None:
    """A killed server raises BusUnavailable, and works when it is back; no lease outlives it, whole data or not."""
    with tempfile.TemporaryDirectory(prefix="redis") as folder:
        server = RedisServer(Path(folder))
        server.start()
        link = link_to(server)
        leases = RedisLeases(link)
        try:
            before = await leases.acquire("slot", "one", life_s=60)
            assert before is not None
            if data_kept:
                server.keep_data()
            server.stop(signal.SIGKILL)
            with pytest.raises(BusUnavailable):
                await leases.renew(before, life_s=60)
            server.start()
            assert not await leases.renew(before, life_s=60)
            after = await leases.acquire("slot", "two", life_s=60)
            assert after is not None
            assert after.token > before.token
        finally:
            await link.close()
            server.stop()


async def test_never_reached() -> None:
    """A server that was never there is away, not an accident."""
    link = link_to("unix:///nowhere/redis.sock")
    with pytest.raises(BusUnavailable):
        await RedisCache(link).get("key")
    await link.close()
