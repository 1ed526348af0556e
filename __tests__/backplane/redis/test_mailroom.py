"""Letters between processes."""

import asyncio

import pytest

from __tests__.backplane.redis_server import RedisServer
from __tests__.backplane.redis_world import DEADLINE_S, link_to
from cryptomarket.backplane.redis import RedisMailroom
from cryptomarket.errors import Unavailable


async def test_asked_here_and_answered_there(server: RedisServer) -> None:
    """Promise: a letter crosses processes, and nothing of it or of its answer stays behind."""
    async with link_to(server) as here, link_to(server) as there, asyncio.timeout(DEADLINE_S):
        asking = asyncio.create_task(RedisMailroom(here).ask("box", b"sealed", timeout_s=10))
        letter = await anext(RedisMailroom(there).letters("box"))
        assert letter.body == b"sealed"
        await letter.reply(b"person")
        assert await asking == b"person"
        with server.client() as client:
            assert [key for key in client.keys("*mail*") if not key.endswith(b"mail:bell:box")] == []


async def test_what_nobody_reads_goes_with_its_deadline(server: RedisServer) -> None:
    """Promise: also when its asker was killed, a letter lives no longer than it may."""
    async with link_to(server) as link:
        asking = asyncio.create_task(RedisMailroom(link).ask("box", b"sealed", timeout_s=0.05))
        with pytest.raises(Unavailable):
            await asking
        assert await link.ask("KEYS", "*mail:letter*") == []
        assert await link.ask("KEYS", "*mail:asked*") == []
        assert await link.ask("LLEN", "cryptomarket:test:mail:box:box") == 0
