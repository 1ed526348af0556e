"""Answers to questions about ranges: which of them never change, and how the same question is answered once."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, NamedTuple, TypeVar

Told = TypeVar("Told")

# Rows of a range may come in for so long after its end, whatever their source.
CLOSED_AFTER_MS = 60_000


class Answer(NamedTuple):
    """An answer as JSON. `is_closed` says that the same question is answered so for ever: everything of its range was
    heard and stored, and it lies in the past.
    """

    body: bytes
    is_closed: bool

    @property
    def etag(self) -> str:
        """A strong validator of the body (RFC 9110, 8.8.3)."""
        return f'"{hashlib.sha256(self.body).hexdigest()[:32]}"'


def is_closed(*, complete: bool, is_start_said: bool, end_ms: int, now_ms: int) -> bool:
    """Whether what is told of a range will always be told of it. One that begins at the first row that is stored
    begins elsewhere when that row is removed, or when an older one comes in.
    """
    return complete and is_start_said and end_ms + CLOSED_AFTER_MS <= now_ms


class SharedAnswers:
    """Who asks what is being asked already waits for the same answer; and some answers are kept.

    Bound: `kept` answers of at most `body_bytes` each, the longest unasked leaving first.
    """

    def __init__(self, *, kept: int = 512, body_bytes: int = 65_536) -> None:
        self._most = kept
        self._body_bytes = body_bytes
        self._kept: OrderedDict[Hashable, tuple[Hashable, Answer]] = OrderedDict()
        # Bound: one for each question that somebody waits for.
        self._asking: dict[Hashable, asyncio.Task[Any]] = {}

    async def once(self, question: Hashable, ask: Callable[[], Coroutine[Any, Any, Told]]) -> Told:
        """The answer, asked for once however many ask at the same time; it goes on when one of them leaves."""
        asking = self._asking.get(question)
        if asking is None:
            asking = self._asking[question] = asyncio.create_task(ask(), name="a shared question")
            asking.add_done_callback(lambda done: self._answered(question, done))
        told: Told = await asyncio.shield(asking)
        return told

    def _answered(self, question: Hashable, done: asyncio.Task[Any]) -> None:
        del self._asking[question]
        if not done.cancelled():
            done.exception()  # looked at, for those who waited may have left

    def kept(self, question: Hashable, state: Hashable) -> Answer | None:
        """The answer that was kept, if it is closed or nothing has changed since: `state` is still the same."""
        found = self._kept.get(question)
        if found is None:
            return None
        state_then, answer = found
        if not answer.is_closed and (state is None or state_then != state):
            return None
        self._kept.move_to_end(question)
        return answer

    def keep(self, question: Hashable, state: Hashable, answer: Answer) -> None:
        """Keeps an answer as of a state; None keeps only what is closed."""
        if (state is None and not answer.is_closed) or len(answer.body) > self._body_bytes:
            return
        self._kept[question] = state, answer
        self._kept.move_to_end(question)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)
