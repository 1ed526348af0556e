"""Tells the person who runs the gateway, in plain words, when the exchange cannot be reached and when it can again."""

import asyncio
from collections.abc import Callable

import structlog

from cryptomarket.clock import Clock

log = structlog.get_logger(__name__)


class Reachability:
    """Looks at the sessions together: one sentence when all are away for `patience_s`, and again each `again_s`."""

    def __init__(
        self,
        reachable: Callable[[], bool],
        *,
        exchange: str,
        address: str,
        clock: Clock,
        look_s: float = 0.5,
        patience_s: float = 2.0,
        again_s: float = 60.0,
    ) -> None:
        self._reachable = reachable
        self._exchange = exchange
        self._address = address
        self._clock = clock
        self._look_s = look_s
        self._patience_s = patience_s
        self._again_s = again_s
        self._away_since_s: float | None = clock.monotonic_s()
        self._told_s: float | None = None

    async def run(self) -> None:
        """Looks for as long as it runs."""
        while True:
            sentence = self.look()
            if sentence is not None:
                log.warning(sentence, exchange=self._exchange, address=self._address)
            await asyncio.sleep(self._look_s)

    def look(self) -> str | None:
        """One look: the sentence that is due, if any."""
        now_s = self._clock.monotonic_s()
        if self._reachable():
            was_told, self._away_since_s, self._told_s = self._told_s is not None, None, None
            return "The exchange is reachable again." if was_told else None
        if self._away_since_s is None:
            self._away_since_s = now_s
        if now_s - self._away_since_s < self._patience_s:
            return None
        if self._told_s is not None and now_s - self._told_s < self._again_s:
            return None
        self._told_s = now_s
        return "The exchange cannot be reached. It is tried again and again; no prices are made up meanwhile."
