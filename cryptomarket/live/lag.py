"""Whether a reader falls behind where only the server knows what waits for him: while it does not ask for more."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Lag:
    """Looks after a stream that can't look after itself, because the server lets it wait before its next write.

    `judge` is told how far the order has gone on meanwhile, and says when it wants to know again: after so many
    seconds, or never.
    """

    __slots__ = ("_judge", "_position")

    def __init__(self, position: Callable[[], int], judge: Callable[[int], float | None]) -> None:
        self._position = position
        self._judge = judge

    @contextmanager
    def watched(self, first_s: float) -> Iterator[None]:
        """For one write: the first look is after `first_s` seconds, and none once the server asks for more."""
        marked = self._position()
        loop = asyncio.get_running_loop()

        timers: list[asyncio.TimerHandle] = []

        def look() -> None:
            again_s = self._judge(self._position() - marked)
            if again_s is not None:
                timers[:] = [loop.call_later(again_s, look)]

        timers.append(loop.call_later(first_s, look))
        try:
            yield
        finally:
            timers[0].cancel()
