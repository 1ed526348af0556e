"""Calls that follow each other without waiting for the answer to the one before."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Coroutine, Iterator
from itertools import islice
from typing import Any, TypeVar

What = TypeVar("What")
Answer = TypeVar("Answer")


async def pipelined(
    calls: Iterator[tuple[What, Coroutine[Any, Any, Answer]]], window: int
) -> AsyncGenerator[tuple[What, Awaitable[Answer]], None]:
    """Each call with its coming answer, in order. Bound: `window` are begun and not yet taken from here.

    A call is asked for when there is room for it. With a window of one it is awaited as it is, in no task of its own.
    Who stops taking gives up what is under way.
    """
    begun: deque[tuple[What, Awaitable[Answer]]] = deque(maxlen=window)
    try:
        while True:
            for what, call in islice(calls, window - len(begun)):
                begun.append((what, call if window == 1 else asyncio.create_task(call)))
            if not begun:
                return
            yield begun.popleft()
    finally:
        left = [answer for _, answer in begun if isinstance(answer, asyncio.Task)]
        for answer in left:
            answer.cancel()
        await asyncio.gather(*left, return_exceptions=True)
