"""What the log gave up before it was stored becomes a recorded gap, so that history never looks whole where it is not.

Such a gap is stored and not published: whoever followed the stream has heard what the store has lost.
"""

from collections.abc import Sequence

import structlog

from cryptomarket.backplane.bus import Bus, Loss
from cryptomarket.history.repository import Heard, Repository
from cryptomarket.market.ticks import Gap, GapCause, Tick
from cryptomarket.market.wire import Publication, time_of

# What no clock tells: beyond it, a payload's time is part of what can't be believed.
_MAX_MS = 10**15

log = structlog.get_logger(__name__)


class Losses:
    """Writes down what a group of writers will never get. What can't be written down now is told again by the bus."""

    def __init__(self, bus: Bus, repository: Repository, *, group: str) -> None:
        self._bus = bus
        self._repository = repository
        self._group = group

    async def write_down(self, *, before: Sequence[Heard] | None = None) -> None:
        """Records the losses that lie before what is about to be stored; without it, all of them.

        Raises BusUnavailable and DatabaseUnavailable.
        """
        losses = await self._bus.losses(self._group)
        if before is not None:
            losses = [lost for lost in losses if before and lost.first.seq < before[-1].publication.seq]
        if losses:
            await self.record(losses, before or ())
            await self._bus.forget(self._group, losses)

    async def give_up(self, publications: Sequence[Publication], stored: Sequence[Heard]) -> None:
        """Records what the writer itself could not store of a batch. Raises DatabaseUnavailable."""
        if publications:
            await self.record([_loss_of(publication) for publication in publications], stored)

    async def record(self, losses: Sequence[Loss], coming: Sequence[Heard]) -> None:
        """Stores a gap for each. Raises DatabaseUnavailable."""
        found = [gap for lost in losses if (gap := await self._gap_of(lost, coming)) is not None]
        await self._repository.keep_unpublished(found)
        log.warning(
            "publications were lost before they were stored",
            count=sum(lost.count for lost in losses),
            tickers=len(losses),
        )

    async def _gap_of(self, lost: Loss, coming: Sequence[Heard]) -> Gap | None:
        before_ms, after_ms = await self._repository.around(lost)
        after_ms = after_ms if after_ms is not None else _first_after(lost, coming)
        told = [ms for ms in (before_ms, lost.first_ms, lost.last_ms, after_ms) if ms is not None]
        if not told:
            return None
        from_ms = before_ms if before_ms is not None else min(told)
        # With no tick after it yet, the gap ends with the last that was lost, which it contains.
        to_ms = after_ms if after_ms is not None else max(told) + 1
        return Gap(lost.ticker, from_ms, max(from_ms + 1, to_ms), GapCause.WRITER)


def _loss_of(publication: Publication) -> Loss:
    at_ms = time_of(publication.kind, publication.payload)
    if at_ms is not None and abs(at_ms) > _MAX_MS:
        at_ms = None
    return Loss(publication.ticker, publication.position, publication.seq, 1, at_ms, at_ms)


def _first_after(lost: Loss, coming: Sequence[Heard]) -> int | None:
    for publication, word in coming:
        if isinstance(word, Tick) and word.ticker == lost.ticker and publication.seq > lost.last_seq:
            return word.timestamp_ms
    return None
