"""The front of history: identical questions are one query, and figures that can't have changed are not made anew."""

from collections.abc import Callable, Coroutine, Hashable
from typing import Any

from cryptomarket.clock import Clock
from cryptomarket.history.answers import CLOSED_AFTER_MS, Answer, SharedAnswers
from cryptomarket.history.figures import Figures
from cryptomarket.history.lines import Line
from cryptomarket.history.look_repository import Believed
from cryptomarket.history.questions import History, TicksQuestion
from cryptomarket.history.reach import Reach
from cryptomarket.history.rows import Row
from cryptomarket.market.candles import Resolution


class Hot:
    """Answers as `History` and `Figures` do."""

    def __init__(self, history: History, figures: Figures, reach: Reach, *, clock: Clock) -> None:
        self._history = history
        self._figures = figures
        self._reach = reach
        self._clock = clock
        self._shared = SharedAnswers()

    async def ticks(self, asked: TicksQuestion) -> Answer:
        fields = None if asked.fields is None else tuple(asked.fields)
        question = (
            "ticks", asked.ticker, asked.start_ms, asked.end_ms, asked.order, asked.source, asked.cursor, asked.limit,
            fields,
        )  # fmt: skip
        return await self._shared.once(question, lambda: self._history.ticks(asked))

    async def latest(self, ticker: str) -> bytes:
        return await self._shared.once(("latest", ticker), lambda: self._history.latest(ticker))

    async def at(self, ticker: str, time_ms: int, *, max_difference_ms: int | None = None) -> bytes:
        return await self._shared.once(
            ("at", ticker, time_ms, max_difference_ms),
            lambda: self._history.at(ticker, time_ms, max_difference_ms=max_difference_ms),
        )

    async def gaps(self, ticker: str, start_ms: int | None, end_ms: int | None, *, limit: int) -> dict[str, object]:
        return await self._shared.once(
            ("gaps", ticker, start_ms, end_ms, limit),
            lambda: self._history.gaps(ticker, start_ms, end_ms, limit=limit),
        )

    async def believed(
        self, ticker: str, start_ms: int, end_ms: int, line: Line, write: Callable[[list[Row]], str], *, limit: int
    ) -> Believed:
        # What `write` writes, `line` does.
        return await self._shared.once(
            ("believed", ticker, start_ms, end_ms, write, limit),
            lambda: self._history.believed(ticker, start_ms, end_ms, line, write, limit=limit),
        )

    async def newest(
        self, ticker: str, line: Line, write: Callable[[list[Row]], str], *, limit: int, skip: int = 0
    ) -> Believed:
        return await self._shared.once(
            ("newest", ticker, write, limit, skip),
            lambda: self._history.newest(ticker, line, write, limit=limit, skip=skip),
        )

    async def stats(self, ticker: str, start_ms: int | None, end_ms: int | None) -> Answer:
        async def count() -> Answer:
            return await self._figures.stats(ticker, start_ms, end_ms)

        return await self._kept_or_asked(("stats", ticker, start_ms, end_ms), ticker, end_ms, count)

    async def candles(self, ticker: str, resolution: Resolution, start_ms: int | None, end_ms: int | None) -> Answer:
        async def fold() -> Answer:
            return await self._figures.candles(ticker, resolution, start_ms, end_ms)

        question = ("candles", ticker, resolution, start_ms, end_ms)
        # Whether a candle is closed changes with time alone: only what is closed for ever is kept of them.
        return await self._kept_or_asked(question, ticker, None, fold)

    async def _kept_or_asked(
        self, question: Hashable, ticker: str, end_ms: int | None, ask: Callable[[], Coroutine[Any, Any, Answer]]
    ) -> Answer:
        # Asked before the answer is: what is stored meanwhile changes the state, not the answer that is kept for it.
        state = None if end_ms is None else await self._state(ticker, end_ms)
        kept = self._shared.kept(question, state)
        if kept is not None:
            return kept
        answer = await self._shared.once((question, state), ask)
        self._shared.keep(question, state, answer)
        return answer

    async def _state(self, ticker: str, end_ms: int) -> Hashable:
        """What changes whenever an answer about a range with this end might; None where that can't be known."""
        heard = await self._reach.heard(ticker)
        seq, now_ms = heard.stored_seq, self._clock.wall_ms()
        if seq is None or heard.stored_up_to is None:
            return None
        # Rows of other sources come in beside the order, and no answer is older than this for want of them.
        return heard.stored_up_to.epoch, seq, heard.is_silent, end_ms <= now_ms, now_ms // CLOSED_AFTER_MS
