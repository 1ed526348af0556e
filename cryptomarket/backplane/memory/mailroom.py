"""Request and reply in this process."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from cryptomarket.backplane.mailroom import Letter
from cryptomarket.backplane.memory.bell import Bell
from cryptomarket.errors import Unavailable

BOX_BOUND = 64


class MemoryLetter:
    """A letter whose asker waits on a future of this loop."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def reply(self, body: bytes) -> None:
        """See Letter.reply."""
        if not self.answer.done():
            self.answer.set_result(body)


class MemoryMailroom:
    """`Mailroom` in one process. Bound: 64 letters wait in a box; the next asker is told to come back."""

    def __init__(self) -> None:
        self._boxes: dict[str, deque[MemoryLetter]] = {}
        self._bells: dict[str, Bell] = {}

    def _box(self, box: str) -> tuple[deque[MemoryLetter], Bell]:
        return self._boxes.setdefault(box, deque(maxlen=BOX_BOUND)), self._bells.setdefault(box, Bell())

    async def ask(self, box: str, body: bytes, *, timeout_s: float) -> bytes:
        """See Mailroom.ask."""
        waiting, bell = self._box(box)
        if len(waiting) >= BOX_BOUND:
            raise Unavailable("Too many requests of this kind are waiting.", retry_after_s=1.0)
        letter = MemoryLetter(body)
        waiting.append(letter)
        bell.ring()
        try:
            async with asyncio.timeout(timeout_s):
                return await letter.answer
        except TimeoutError:
            raise Unavailable("Nobody answered in time.") from None
        finally:
            letter.answer.cancel()
            if letter in waiting:
                waiting.remove(letter)

    async def letters(self, box: str) -> AsyncIterator[Letter]:
        """See Mailroom.letters."""
        waiting, bell = self._box(box)
        while True:
            while waiting:
                yield waiting.popleft()
            await bell.wait()
