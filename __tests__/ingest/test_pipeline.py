"""Calls follow each other up to a bound, and are told in order."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import aclosing
from typing import Any

import pytest

from cryptomarket.ingest.pipeline import pipelined


class Server:
    """Answers a call when it is told to."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.given_up: list[int] = []
        self.answers = [asyncio.get_running_loop().create_future() for _ in range(6)]

    async def ask(self, number: int) -> str:
        self.asked.append(number)
        try:
            return str(await self.answers[number])
        except asyncio.CancelledError:
            self.given_up.append(number)
            raise

    def calls(self) -> Iterator[tuple[int, Coroutine[Any, Any, str]]]:
        return ((number, self.ask(number)) for number in range(6))


@pytest.mark.parametrize("window", [1, 2, 4])
async def test_so_many_are_under_way_and_no_more(window: int) -> None:
    """Promise: a call is begun while those before it wait for their answers, up to the window; and each is told in
    its turn, however the answers come.
    """
    server = Server()
    told = []
    async with aclosing(pipelined(server.calls(), window)) as under_way:
        async for number, answer in under_way:
            reading = asyncio.ensure_future(answer)
            for _ in range(10):
                await asyncio.sleep(0)  # sleep: whatever would begin by itself has begun
            assert server.asked == list(range(min(6, number + window)))
            for later in reversed(server.asked[number:]):
                if not server.answers[later].done():
                    server.answers[later].set_result(f"answer {later}")
            told.append((number, await reading))
    assert told == [(number, f"answer {number}") for number in range(6)]


async def read_through(server: Server, window: int) -> None:
    async with aclosing(pipelined(server.calls(), window)) as under_way:
        async for _, answer in under_way:
            for _ in range(10):
                await asyncio.sleep(0)  # sleep: whatever would begin by itself has begun
            await answer


async def test_what_is_under_way_is_given_up_with_the_one_before_it() -> None:
    """Promise: after a loss nothing is begun, and nothing goes on that nobody waits for."""
    server = Server()
    server.answers[0].set_exception(ConnectionError())
    with pytest.raises(ConnectionError):
        await read_through(server, 3)
    assert server.asked == [0, 1, 2]
    assert server.given_up == [1, 2]
