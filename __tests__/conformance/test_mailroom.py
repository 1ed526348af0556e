"""Request and reply: bounded, with a deadline, each letter to one reader."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from __tests__.conformance.form import Backplane
from cryptomarket.backplane.mailroom import Letter
from cryptomarket.errors import Unavailable

BOUND = 64


async def _answer(letters: AsyncIterator[Letter], count: int, said: list[bytes]) -> None:
    for _ in range(count):
        letter = await anext(letters)
        said.append(letter.body)
        await letter.reply(b"re:" + letter.body)


async def test_a_letter_is_answered(backplane: Backplane) -> None:
    """Promise: who asks gets the answer to his own letter."""
    said: list[bytes] = []
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(_answer(backplane.mailroom.letters("box"), 3, said))
        asked = [group.create_task(backplane.mailroom.ask("box", body, timeout_s=5)) for body in (b"a", b"b", b"c")]
    assert [task.result() for task in asked] == [b"re:a", b"re:b", b"re:c"]


async def test_each_letter_is_taken_by_one_reader(backplane: Backplane) -> None:
    """Promise: a login is opened once."""
    said: list[bytes] = []
    readers = [asyncio.create_task(_answer(backplane.mailroom.letters("box"), 100, said)) for _ in range(3)]
    async with asyncio.timeout(10):
        await asyncio.gather(*(backplane.mailroom.ask("box", b"%d" % at, timeout_s=5) for at in range(20)))
    for reader in readers:
        reader.cancel()
    await asyncio.gather(*readers, return_exceptions=True)
    assert sorted(said) == sorted(b"%d" % at for at in range(20))


async def test_nobody_waits_longer_than_he_said_and_late_letters_are_not_read(backplane: Backplane) -> None:
    """Promise: a deadline; what has passed it is left out."""
    with pytest.raises(Unavailable):
        await backplane.mailroom.ask("box", b"late", timeout_s=0.01)
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        said: list[bytes] = []
        group.create_task(_answer(backplane.mailroom.letters("box"), 1, said))
        await backplane.mailroom.ask("box", b"in time", timeout_s=5)
    assert said == [b"in time"]


async def test_a_full_box_refuses_at_once(backplane: Backplane) -> None:
    """Promise: bounded; the next is told to come back."""
    waiting = [asyncio.create_task(backplane.mailroom.ask("box", b"x", timeout_s=30)) for _ in range(BOUND + 1)]
    refused, _ = await asyncio.wait(waiting, timeout=10, return_when=asyncio.FIRST_COMPLETED)
    (full,) = [task.exception() for task in refused]
    assert isinstance(full, Unavailable)
    assert full.retry_after_s > 0
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_late_answer_reaches_nobody_and_breaks_nothing(backplane: Backplane) -> None:
    """Promise: whoever answers too late is not told off."""
    letters = backplane.mailroom.letters("box")
    async with asyncio.timeout(10):
        asking = asyncio.create_task(backplane.mailroom.ask("box", b"x", timeout_s=30))
        letter = await anext(letters)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await letter.reply(b"late")
