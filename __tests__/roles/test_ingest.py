"""Processes that hear the exchange together."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

from __tests__.postgres_server import PostgresServer
from __tests__.roles.deployment import comes_true, deployment, told_by
from cryptomarket.roles.role import Role


async def test_they_share_slots_of_both_kinds(tmp_path: Path, postgres: PostgresServer) -> None:
    """Promise: of two processes each has half of the data slots and a login slot; alone again, one has all of them."""
    async with deployment(tmp_path, postgres) as built, built.process(Role.API) as api:
        told = told_by(api)

        async def owners() -> list[str | None]:
            return [slot.owner for slot in (await told.operation()).slots]

        async def shared(each: tuple[int, ...]) -> bool:
            mine = await owners()
            halves = [mine[:4], mine[4:]]
            return None not in mine and all(
                tuple(sorted(half.count(owner) for owner in set(half))) == each[at : at + 1] * len(set(half))
                for at, half in enumerate(halves)
            )

        async def until_shared(count: int, each: tuple[int, ...]) -> None:
            async with asyncio.timeout(20):
                while len(set(await owners())) != count or not await shared(each):  # noqa: ASYNC110  nobody tells
                    await asyncio.sleep(0.02)  # sleep: between two looks

        async with built.process(Role.INGEST):
            await until_shared(1, (4, 2))
            async with built.process(Role.INGEST):
                await until_shared(2, (2, 1))
            await until_shared(1, (4, 2))


async def test_one_of_them_is_enough_for_every_ticker(tmp_path: Path, postgres: PostgresServer) -> None:
    """Promise: whoever leaves in order, what is wanted is heard by who stays, and published once."""
    async with deployment(tmp_path, postgres) as built, built.process(Role.API) as api, AsyncExitStack() as stack:
        await stack.enter_async_context(built.process(Role.INGEST))
        async with built.process(Role.INGEST):
            async with asyncio.timeout(20):
                await api.hub.reached(20)
        seq = api.hub.position.seq
        async with asyncio.timeout(20):
            await api.hub.reached(seq + 20)
        for ticker in ("btc_usd", "eth_usd"):
            assert api.hub.picture(ticker).tick is not None
        await comes_true(told_by(api).reachable)
