"""Notices between processes."""

import asyncio

from __tests__.backplane.redis_server import RedisServer
from __tests__.backplane.redis_world import DEADLINE_S, link_to
from cryptomarket.backplane.bus import Notice, NoticeKind
from cryptomarket.backplane.redis import RedisBus

SUBJECTS = [Notice(NoticeKind.REVOKED, str(number)) for number in range(3)]


async def test_who_was_cut_off_hears_what_was_told_meanwhile(server: RedisServer) -> None:
    """Promise: from the call on, every process hears every notice, once, also over a loss of its connections."""
    async with link_to(server) as here, link_to(server) as there, RedisBus(here) as one, RedisBus(there) as other:
        await one.notify(Notice(NoticeKind.REVOKED, "before"))
        listening = other.notices()
        async with asyncio.timeout(DEADLINE_S):
            while (await anext(listening)).subject != "before":
                pass
            await here.ask("XADD", here.keys.notices, "*", "a kind of a newer version", "x")
            await one.notify(SUBJECTS[0])
            assert await anext(listening) == SUBJECTS[0]
            with server.client() as client:
                client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            async with link_to(server) as third, RedisBus(third) as later:
                await later.notify(SUBJECTS[1])
                await later.notify(SUBJECTS[2])
            assert [await anext(listening), await anext(listening)] == SUBJECTS[1:]


async def test_a_server_that_forgot_everything_is_heard_again(server: RedisServer) -> None:
    """Promise: notices go on after a loss of data."""
    async with link_to(server) as link, RedisBus(link) as bus:
        listening = bus.notices()
        async with asyncio.timeout(DEADLINE_S):
            await bus.notify(SUBJECTS[0])
            assert await anext(listening) == SUBJECTS[0]
            with server.client() as client:
                client.flushall()
            await bus.notify(SUBJECTS[1])
            assert await anext(listening) == SUBJECTS[1]
