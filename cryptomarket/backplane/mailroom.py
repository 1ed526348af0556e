"""Request and reply between processes, bounded, with a deadline. Carries logins."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol

from cryptomarket.errors import BusUnavailable

RETRY_S = 1.0


class Letter(Protocol):
    """A request that waits for an answer."""

    @property
    def body(self) -> bytes:
        """What was asked."""
        ...

    async def reply(self, body: bytes) -> None:
        """Answers. After the deadline it reaches nobody."""
        ...


class Mailroom(Protocol):
    """Boxes of letters. Each letter is taken by one reader."""

    async def ask(self, box: str, body: bytes, *, timeout_s: float) -> bytes:
        """Posts a letter and waits for its reply.

        Raises Unavailable when the box is full (64 letters) or nobody has answered within `timeout_s` seconds.
        """
        ...

    def letters(self, box: str) -> AsyncIterator[Letter]:
        """The letters of a box, oldest first; those whose deadline has passed are left out."""
        ...


async def serve(mailroom: Mailroom, box: str, answer: Callable[[Letter], Awaitable[bytes]], *, at_once: int) -> None:
    """Answers the letters of a box for as long as it runs, `at_once` of them together; further ones wait in the box,
    which is bounded. A bus that is away is waited for.
    """

    async def one_after_the_other() -> None:
        while True:
            try:
                async for letter in mailroom.letters(box):
                    await letter.reply(await answer(letter))
            except BusUnavailable:
                await asyncio.sleep(RETRY_S)

    async with asyncio.TaskGroup() as together:
        for _ in range(at_once):
            together.create_task(one_after_the_other())
