"""How far the store reaches into a range, and whether everything of it was heard."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from cryptomarket.backplane.bus import Bus, Picture
from cryptomarket.clock import Clock
from cryptomarket.errors import BusUnavailable, Impossible
from cryptomarket.history.look_repository import Extent, Look
from cryptomarket.market.position import Position
from cryptomarket.market.ticks import FeedState
from cryptomarket.market.wire import decode_status

NOWHERE = Position("", 0)


@dataclass(frozen=True, slots=True)
class Heard:
    """What the bus knows: up to where the log is stored, one ticker's picture, and whether the log gave something of it
    up that is not written down yet. None is "can't be found out". It was asked at `asked_ms`, and vouches for nothing
    that came later. Where the feed `is_silent`, nobody hears the exchange, whatever was published last.
    """

    stored_up_to: Position | None
    picture: Picture | None
    lost: bool = False
    asked_ms: int = 0
    is_silent: bool = False

    @property
    def is_all_stored(self) -> bool:
        """Whether all that was published of the ticker in this epoch is stored; no, where that isn't known."""
        if self.stored_up_to is None or self.lost:
            return False
        last_seq = self.picture.last_seq if self.picture is not None else None
        return last_seq is None or last_seq <= self.stored_up_to.seq

    @property
    def stored_seq(self) -> int | None:
        """The sequence of the ticker's last publication, when all of it is stored; None when that isn't known."""
        return self.picture.last_seq if self.picture is not None and self.is_all_stored else None

    def proves(self, extent: Extent, start_ms: int, end_ms: int) -> bool:
        """Whether every tick of [start_ms, end_ms) that was heard is among the stored ones."""
        if self.stored_up_to is None or extent.first_stream_ms is None or extent.settled_ms is None:
            return False
        if start_ms < extent.first_stream_ms or self.lost:
            return False
        # The exchange orders a channel: nothing older than a settled tick is still on its way.
        return end_ms <= extent.settled_ms or (self.stored_seq is not None and self._is_live)

    @property
    def _is_live(self) -> bool:
        if self.is_silent or self.picture is None or self.picture.status is None:
            return False
        return decode_status(self.picture.status.payload).state is FeedState.LIVE


class Span(NamedTuple):
    """A range as it was understood, the last row that was stored by then, and whether everything of it was heard but
    for its recorded gaps. Nothing before `settled_ms` is still on its way; None is "not known".
    """

    start_ms: int
    end_ms: int
    newest_id: int
    complete: bool
    settled_ms: int | None

    @property
    def is_settled(self) -> bool:
        """Whether no row comes in any more before its end."""
        return self.settled_ms is not None and self.end_ms <= self.settled_ms


class Reach:
    """Judges ranges. `group` names the writers' consumer group on the bus: what it has acknowledged is stored.
    `is_silent` says of a ticker whether this process has found out that nobody hears its feed: nobody is left then who
    would publish it.
    """

    def __init__(
        self, bus: Bus, *, clock: Clock, group: str = "store", is_silent: Callable[[str], bool] = lambda _ticker: False
    ) -> None:
        self._bus = bus
        self._clock = clock
        self._group = group
        self._is_silent = is_silent

    async def heard(self, ticker: str) -> Heard:
        """What the bus knows of a ticker. To be asked before the database is looked at."""
        asked_ms = self._clock.wall_ms()
        try:
            # A loss that is written down by now is among the gaps, which are read later.
            known = await self._bus.standing(self._group, ticker)
        except BusUnavailable:
            return Heard(None, None, asked_ms=asked_ms)
        return Heard(
            Position(known.head.epoch, known.acknowledged),
            known.picture,
            known.has_losses,
            asked_ms,
            self._is_silent(ticker),
        )

    def span(self, look: Look, ticker: str, start_ms: int | None, end_ms: int | None, heard: Heard) -> Span:
        """What was not said is the first row, and now. Raises Impossible for a range that can't be."""
        extent = self.extent(look, ticker, heard)
        start, end = range_of(start_ms, end_ms, first_ms=extent.first_ms, now_ms=heard.asked_ms)
        return self.judged(look, ticker, start, end, extent, heard)

    def extent(self, look: Look, ticker: str, heard: Heard) -> Extent:
        """How far the rows of a ticker reach."""
        return look.extent(ticker, stored_up_to=heard.stored_up_to or NOWHERE)

    def still_reaches(self, look: Look, ticker: str, start_ms: int) -> bool:
        """Whether the rows of a ticker's stream still begin before a time: what is old is removed one day."""
        first_ms = look.extent(ticker, stored_up_to=NOWHERE).first_stream_ms
        return first_ms is not None and first_ms <= start_ms

    def is_settled(self, look: Look, ticker: str, end_ms: int, heard: Heard) -> bool:
        """Whether no row of any source comes in any more before a time: what is collected is never older than the
        stream.
        """
        settled_ms = None if heard.lost else self.extent(look, ticker, heard).settled_ms
        return settled_ms is not None and end_ms <= settled_ms

    def judged(self, look: Look, ticker: str, start_ms: int, end_ms: int, extent: Extent, heard: Heard) -> Span:
        """A range that can be, and whether everything of it was heard."""
        complete = (
            end_ms <= heard.asked_ms
            and heard.proves(extent, start_ms, end_ms)
            and look.was_live(ticker, start_ms, end_ms)
        )
        return Span(start_ms, end_ms, extent.newest_id, complete, None if heard.lost else extent.settled_ms)


def range_of(start_ms: int | None, end_ms: int | None, *, first_ms: int | None, now_ms: int) -> tuple[int, int]:
    """[start, end) in milliseconds; what was not said is the first row, and now."""
    if start_ms is not None and start_ms > now_ms:
        raise Impossible("start lies in the future.", field="start")
    end = now_ms if end_ms is None else end_ms
    if start_ms is None:
        return min(end, end if first_ms is None else first_ms), end
    if start_ms >= end:
        raise Impossible("start must lie before end: a range is [start, end).", field="start")
    return start_ms, end
