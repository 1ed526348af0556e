"""One stream from its first event to its last: the opening, the replay, then live until something ends it.

opening ─ replay ─ live ─┬─ lifetime over ──────── disconnected {drain}
                         ├─ the mailbox overflowed  disconnected {slow}
                         ├─ token revoked ───────── disconnected {revoked}
                         ├─ token expired ───────── disconnected {expired}
                         ├─ this process stops ──── disconnected {shutdown}
                         └─ the reader has gone ─── nobody is there to be told
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from enum import StrEnum

from cryptomarket.clock import Clock
from cryptomarket.errors import LogTooShort, Unavailable
from cryptomarket.live.events import event, feed_of
from cryptomarket.live.follow import Opener, Opening
from cryptomarket.live.hub import Hub
from cryptomarket.live.lag import Lag
from cryptomarket.live.mailbox import Entry, LatestMailbox, LogMailbox, Mailbox
from cryptomarket.live.seat import Reason, Seat
from cryptomarket.live.transport import Line
from cryptomarket.market.position import Position

PIECE_BYTES = 65_536


class Mode(StrEnum):
    """Whether a reader who is behind gets everything, or the newest of each ticker."""

    ALL = "all"
    LATEST = "latest"


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """Bounds and periods of every stream. `lifetime_s` is drawn between 80 and 100 % of the limit."""

    keep_alive_s: float = 7.0
    lifetime_s: float = 3600.0
    backlog_bytes: int = 1_048_576
    lag_events: int = 50_000
    ahead_s: float = 1.0
    farewell_s: float = 2.0
    retry_min_ms: int = 1000
    retry_max_ms: int = 5000


@dataclass(frozen=True, slots=True)
class Wish:
    """What a reader asked for. `access_token` and `expires_in_s` are told to one who came with a key pair."""

    user_id: str
    request_id: str
    exchange: str
    expires_s: int
    timer_s: float | None = None
    mode: Mode = Mode.ALL
    lifetime_s: float | None = None
    access_token: str | None = None
    expires_in_s: int | None = None


def mailbox_of(wish: Wish, limits: StreamLimits) -> Mailbox:
    """The mailbox whose contract the reader chose."""
    if wish.timer_s is not None or wish.mode is Mode.LATEST:
        return LatestMailbox()
    return LogMailbox(limits.backlog_bytes)


def pieces(entries: Iterable[Entry]) -> Iterator[bytes]:
    """Events joined to about PIECE_BYTES. The server waits before a write until what it was given is nearly gone, so
    a reader who comes back is never given much more than that at once, and what he is owed is not taken for what he has
    left unread.
    """
    joined: list[bytes] = []
    size_bytes = 0
    for entry in entries:
        joined.append(entry.frame)
        size_bytes += len(entry.frame)
        if size_bytes >= PIECE_BYTES:
            yield b"".join(joined)
            joined, size_bytes = [], 0
    if joined:
        yield b"".join(joined)


class Stream:
    """Writes the events of one seat. `frames` yields chunks of whole events."""

    def __init__(
        self,
        hub: Hub,
        opener: Opener,
        seat: Seat,
        *,
        wish: Wish,
        limits: StreamLimits,
        clock: Clock,
        random: Callable[[], float],
    ) -> None:
        self._hub = hub
        self._opener = opener
        self._seat = seat
        self._wish = wish
        self._limits = limits
        self._clock = clock
        self._random = random
        self._retry_ms = round(limits.retry_min_ms + random() * (limits.retry_max_ms - limits.retry_min_ms))
        self._ends_at_s, self._end = self._lifetime()
        self._caught_up = False
        self._lag = Lag(lambda: hub.position.seq, self._judge)

    def _lifetime(self) -> tuple[float, Reason]:
        now_s = self._clock.monotonic_s()
        life_s = self._wish.lifetime_s or self._limits.lifetime_s * (0.8 + 0.2 * self._random())
        token_s = self._wish.expires_s - self._clock.wall_us() / 1e6
        return (now_s + token_s, Reason.EXPIRED) if token_s < life_s else (now_s + life_s, Reason.DRAIN)

    async def frames(self, opening: Opening, line: Line | None = None) -> AsyncGenerator[bytes, None]:
        """The events of the stream that began with `opening`, in chunks that are written as one. What is live goes
        past the caller where there is a line, unless the stream conflates.
        """
        async with aclosing(self._told(opening, line)) as chunks:
            # It would live as long as the stream, and so would its snapshots.
            del opening
            async for chunk in chunks:
                with self._lag.watched(self._limits.keep_alive_s):
                    yield chunk

    def _judge(self, missed: int) -> float | None:
        """Who does not take what he is written is as slow, and his stream as old, as if he did."""
        if self._seat.reason is not None or self._seat.is_gone:
            return None
        if missed > self._limits.lag_events and isinstance(self._seat.mailbox, LogMailbox):
            self._hub.let_go(self._seat)
            return None
        left_s = self._ends_at_s - self._clock.monotonic_s()
        if left_s <= 0:
            self._seat.leave(self._end)
            return None
        return min(self._limits.keep_alive_s, left_s)

    async def _told(self, opening: Opening, line: Line | None) -> AsyncGenerator[bytes, None]:
        yield self._connected(opening)
        async with aclosing(self._between(opening)) as replay:
            async for chunk in replay:
                yield chunk
        # What waits now lies above the replay's end: whoever was cut off before it must not get an id of it.
        if self._caught_up:
            if opening.later:
                yield self._seat_frames_before(opening) + b"".join(opening.later)
            del opening
            if line is None or isinstance(self._seat.mailbox, LatestMailbox):
                async with aclosing(self._live()) as live:
                    async for chunk in live:
                        yield chunk
            else:
                while waiting := self._seat.mailbox.take():
                    for piece in pieces(waiting):
                        yield piece
                if self._seat.reason is None and not line.is_lost:
                    await self._direct(line)
        yield event("disconnected", {"reason": self._seat.reason, "retry_ms": self._retry_ms})

    async def _between(self, opening: Opening) -> AsyncGenerator[bytes, None]:
        """The replay, as far as it comes."""
        try:
            async with aclosing(self._opener.replay(opening)) as pages:
                async for entries in pages:
                    for chunk in self._replayed(entries):
                        yield chunk
                    if self._seat.reason is not None or self._seat.is_gone:
                        return
        except LogTooShort:
            self._seat.leave(Reason.SLOW)
            return
        except Unavailable as away:
            yield event("problem", self._problem(away))
            self._seat.leave(Reason.DRAIN)
            return
        self._caught_up = True

    def _problem(self, away: Unavailable) -> dict[str, object]:
        """A fault after the stream opened, as a problem document (RFC 9457)."""
        return {
            "type": "about:blank",
            "title": f"The {away.part} is unavailable",
            "status": 503,
            "detail": away.detail,
            "request_id": self._wish.request_id,
        }

    def _connected(self, opening: Opening) -> bytes:
        wish = self._wish
        data: dict[str, object] = {
            "user_id": wish.user_id,
            "request_id": wish.request_id,
            "exchange": wish.exchange,
            "tickers": opening.tickers,
            "resume": opening.resume,
            "position": str(opening.position),
            "server_time_us": self._clock.wall_us(),
        }
        if wish.access_token is not None:
            data |= {"access_token": wish.access_token, "expires_in": wish.expires_in_s}
        id_ = None if opening.snapshots else opening.position
        return event("connected", data, id_=id_, retry_ms=self._retry_ms) + b"".join(opening.snapshots)

    def _replayed(self, entries: list[Entry]) -> Iterable[bytes]:
        if isinstance(self._seat.mailbox, LatestMailbox):
            self._seat.mailbox.offer_earlier(entries)
            return ()
        return pieces(entries)

    def _seat_frames_before(self, opening: Opening) -> bytes:
        """What a conflating mailbox holds of the replay: it comes before the groups that stand at the replay's end."""
        if not isinstance(self._seat.mailbox, LatestMailbox):
            return b""
        return b"".join(entry.frame for entry in self._seat.mailbox.take_until(opening.until))

    async def _live(self) -> AsyncGenerator[bytes, None]:
        mailbox = self._seat.mailbox
        now_s = self._clock.monotonic_s()
        told_s, beat_s = now_s, now_s
        while True:
            if self._wish.timer_s is None or now_s >= beat_s or mailbox.urgent.is_set():
                entries = mailbox.take()
                if self._wish.timer_s is not None:
                    beat_s = now_s + self._wish.timer_s
                if entries:
                    told_s = now_s
                    yield b"".join([entry.frame for entry in entries])
            if self._seat.reason is not None or self._seat.is_gone:
                return
            now_s = self._clock.monotonic_s()
            if now_s >= self._ends_at_s:
                self._seat.leave(self._end)
                continue
            if now_s - told_s >= self._limits.keep_alive_s:
                told_s = now_s
                yield self._keep_alive()
            await self._wait(now_s, told_s, beat_s)
            now_s = self._clock.monotonic_s()

    async def _direct(self, line: Line) -> None:
        """Live on the fast path: the hub writes, and all that is left to do is to watch the time."""
        self._hub.connect(self._seat, line)
        marked_seq, marked_bytes = self._hub.position.seq, 0
        try:
            while self._seat.reason is None and not line.is_lost:
                now_s = self._clock.monotonic_s()
                written_bytes = self._hub.written_bytes(self._seat)
                if written_bytes - line.buffered_bytes >= marked_bytes:
                    # He has taken all that had been written at the last mark.
                    marked_seq, marked_bytes = self._hub.position.seq, written_bytes
                elif self._hub.position.seq - marked_seq > self._limits.lag_events:
                    self._hub.let_go(self._seat)
                    return
                if now_s >= self._ends_at_s:
                    self._seat.leave(self._end)
                    return
                told_s = self._hub.told_s(self._seat)
                if now_s - told_s >= self._limits.keep_alive_s:
                    self._hub.say(self._seat, self._keep_alive())
                    continue
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(told_s + self._limits.keep_alive_s, self._ends_at_s) - now_s):
                        await self._seat.left.wait()
        finally:
            self._hub.disconnect(self._seat)

    async def _wait(self, now_s: float, told_s: float, beat_s: float) -> None:
        """Until something is to be written, or a period is over."""
        until_s = min(told_s + self._limits.keep_alive_s, self._ends_at_s)
        bell = self._seat.mailbox.ready
        if self._wish.timer_s is not None:
            bell = self._seat.mailbox.urgent
            if self._seat.mailbox.first_waiting() is not None:
                until_s = min(until_s, beat_s)
            else:
                bell = self._seat.mailbox.ready
        if now_s >= until_s or bell.is_set() or self._seat.reason is not None:
            return
        try:
            async with asyncio.timeout(until_s - now_s):
                await bell.wait()
        except TimeoutError:
            return

    def _keep_alive(self) -> bytes:
        """The position up to which everything of this stream was written, and how its feeds are."""
        first_waiting = self._seat.mailbox.first_waiting()
        position = self._hub.position
        if first_waiting is not None:
            position = Position(position.epoch, first_waiting - 1)
        now_ms = self._clock.wall_ms()
        feeds = {}
        for ticker in sorted(self._seat.tickers):
            picture = self._hub.picture(ticker)
            state, _, age_ms = feed_of(picture, now_ms=now_ms)
            feeds[ticker] = {"state": state, "age_ms": age_ms, "seq": picture.last_seq}
        data = {"position": str(position), "server_time_us": self._clock.wall_us(), "feeds": feeds}
        return event("keep_alive", data, id_=position)
