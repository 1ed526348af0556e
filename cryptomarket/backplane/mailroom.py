"""Request and reply between processes, bounded, with a deadline. Carries logins."""

from collections.abc import AsyncIterator
from typing import Protocol


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
