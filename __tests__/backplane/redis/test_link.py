"""RedisLink: a lost server is a value, a restart a new epoch."""

import signal
import tempfile
from pathlib import Path

import pytest

from __tests__.backplane.redis_server import RedisServer
from __tests__.backplane.redis_world import link_to
from cryptomarket.backplane.redis import RedisCache, RedisLeases, RedisLink
from cryptomarket.errors import BusUnavailable, StartRefused


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


async def entered(link: RedisLink) -> None:
    async with link:
        return


async def test_what_can_not_be_worked_with_is_refused(own: RedisServer) -> None:
    """Promise: a wrong password, or a server that may drop keys, is one sentence at the start, without the password."""
    with own.client() as client:
        client.config_set("maxmemory", "100mb")
        client.config_set("maxmemory-policy", "allkeys-lru")
    with pytest.raises(StartRefused, match="allkeys-lru"):
        await entered(link_to(own))
    with own.client() as client:
        client.config_set("requirepass", "right")
    with pytest.raises(StartRefused, match="password") as refused:
        await entered(link_to(f"{own.url}?password=wrong-one"))
    assert "wrong-one" not in str(refused.value)
    with pytest.raises(BusUnavailable):
        await entered(link_to("unix:///nowhere/redis.sock"))


async def test_one_step(link: RedisLink) -> None:
    """Promise: what is asked together is answered together; a script that the server forgot is sent again."""
    await link.ask("SCRIPT", "FLUSH")
    assert await RedisLeases(link).holders() == {}
    assert await link.together(("SET", "k", "v"), ("GET", "k")) == [b"OK", b"v"]
    assert len({link.new_name() for _ in range(10)}) == 10
