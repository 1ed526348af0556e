"""One side of the gateway in a process: what it runs, and what it does last."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field

Work = Callable[[], Coroutine[object, object, None]]
Tasks = Mapping[str, "asyncio.Task[None]"]


async def nothing_more(_listening: Tasks) -> None:
    """A side that has nothing to do last."""


@dataclass(frozen=True, slots=True)
class Side:
    """`speakers` end first, then `farewell` is awaited, then `listeners` end: whoever listens outlives who speaks.

    `farewell` is given the listeners' tasks, by name: what waits for one of them need not when it has died.
    """

    listeners: Mapping[str, Work] = field(default_factory=dict)
    speakers: Mapping[str, Work] = field(default_factory=dict)
    farewell: Callable[[Tasks], Awaitable[object]] = nothing_more
