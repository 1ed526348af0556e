"""The seats of this process, and the picture they share: who hears what, and what is known of every ticker.

`broadcast` never waits: an event is encoded once and offered to each seat that wants it. Because the picture, the
position and the seats change in the same call, a seat that is taken at position P with snapshots of P misses nothing
and hears nothing twice: there is no crack between looking and listening.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

from msgspec.structs import replace

from cryptomarket.backplane.bus import Picture
from cryptomarket.clock import Clock
from cryptomarket.live.alone import Absence, after, as_seen, status_of
from cryptomarket.live.events import feed_of, set_change, snapshot
from cryptomarket.live.fanout import Fanout, Tally
from cryptomarket.live.interest import Interest
from cryptomarket.live.mailbox import Entry
from cryptomarket.live.ring import Ring
from cryptomarket.live.seat import Reason, Seat, nothing
from cryptomarket.live.transport import Line, chunk_of
from cryptomarket.market.position import Position
from cryptomarket.market.ticks import FeedState
from cryptomarket.market.wire import Change, Publication, PublicationKind, SetChange, decode_set_change

NOTHING = Picture()
BACKLOG_BYTES = 1_048_576
RING_EVENTS = 20_000


class Hub:
    """Seats by ticker and by user. Bound: seats are limited by the stream places of users and process."""

    def __init__(
        self, position: Position, clock: Clock, *, backlog_bytes: int = BACKLOG_BYTES, ring_events: int = RING_EVENTS
    ) -> None:
        self.position = position
        self._clock = clock
        self._backlog_bytes = backlog_bytes
        self._pictures: dict[str, Picture] = {}
        self.ring = Ring(ring_events)
        self.ring.begin(position.seq)
        # Seats with a mailbox listen by their interest; those with a line are the fan-out's.
        self._interest = Interest()
        self._fanout = Fanout()
        self._lagging: set[Seat] = set()
        self._by_user: dict[str, set[Seat]] = {}
        self._seats: set[Seat] = set()
        self._moved = asyncio.Event()
        self.demand_changed = self._interest.changed
        self._absence = Absence()
        self.is_silent = self._absence.covers
        self.on_bus_back: Callable[[], None] = nothing
        self.draining = False
        self.slow_count = 0

    @property
    def seats(self) -> Collection[Seat]:
        """All seats."""
        return self._seats

    @property
    def tickers(self) -> frozenset[str]:
        """What the streams of this process want."""
        return frozenset(self._interest.tickers)

    def picture(self, ticker: str) -> Picture:
        """What is known of a ticker as of `position`; its feed is down while bus or ingest are away."""
        return as_seen(self._pictures.get(ticker, NOTHING), self._absence.of(ticker))

    def recall(self, ticker: str, remembered: bytes | None) -> None:
        """Fills in the last tick of a former epoch. Ticks of this epoch come by `broadcast` alone, in their order."""
        known = self._pictures.get(ticker, NOTHING)
        if known.tick is None and remembered is not None:
            self._pictures[ticker] = replace(known, remembered=remembered)

    def begin(self, position: Position, pictures: dict[str, Picture]) -> None:
        """Starts anew at a position. Streams of the order before can't be continued: they hear nothing from here on,
        so that no id of theirs lies beyond what was missed, and come back with what they have.
        """
        self.position = position
        self.ring.begin(position.seq)
        self._pictures = dict(pictures)
        self._absence.find_bus()
        for seat in list(self._seats):
            self._silence(seat)
            seat.leave(Reason.DRAIN)
        self._moved.set()
        self._moved = asyncio.Event()

    def lose_bus(self) -> bool:
        """Nothing is heard any more: every stream is told that its feeds are down. False when it was known."""
        with self._retelling():
            return self._absence.lose_bus(now_ms=self._clock.wall_ms())

    def find_bus(self) -> None:
        """Everything up to `position` was heard after all: every stream is told how its feeds are."""
        if self._absence.bus_is_away:
            with self._retelling():
                self._absence.find_bus()
            self.on_bus_back()

    def lose_ingest(self) -> bool:
        """Nobody hears the exchange: every stream is told that its feeds are down. False when it was known."""
        with self._retelling():
            return self._absence.lose_ingest(now_ms=self._clock.wall_ms())

    def find_ingest(self, held: Collection[str]) -> None:
        """Somebody hears the exchange, and holds these: streams are told of each feed as soon as that counts again."""
        with self._retelling():
            self._absence.find_ingest(self._live_tickers, held)

    def _live_tickers(self) -> list[str]:
        now_ms = self._clock.wall_ms()
        return [t for t, known in self._pictures.items() if feed_of(known, now_ms=now_ms)[0] is FeedState.LIVE]

    @contextmanager
    def _retelling(self) -> Iterator[None]:
        """Tells every stream of those of its feeds whose state this process sees otherwise afterwards."""
        before = {ticker: self._absence.of(ticker) for ticker in self._interest.tickers}
        yield
        now_ms = self._clock.wall_ms()
        told = {
            ticker: status_of(ticker, self.picture(ticker), self.position, now_ms=now_ms)
            for ticker, word in before.items()
            if self._absence.of(ticker) is not word
        }
        for seat in list(self._seats) if told else ():
            for ticker in sorted(seat.tickers & told.keys()) if seat.seated else ():
                self._offer(seat, told[ticker])

    @property
    def followers(self) -> Mapping[str, Collection[Seat]]:
        """The seats that follow their users' saved sets, by user."""
        return self._by_user

    def adopt(self, user_id: str, tickers: Collection[str], version: int) -> None:
        """Brings the streams of a user to his set, as it was read: the change that made it was not heard of."""
        change = SetChange(user_id, Change.SUBSCRIBED, "", tuple(sorted(tickers)), version)
        for seat in list(self._by_user.get(user_id, ())):
            if seat.seated and version > seat.version:
                self._change_set(seat, after(self.position, PublicationKind.SET_CHANGE, ""), change, by_itself=True)

    def admit(self, seat: Seat) -> None:
        """Registers a seat, which hears only changes of its user's set until it is `seated`."""
        self._seats.add(seat)
        if seat.follows_set:
            self._by_user.setdefault(seat.owner_id, set()).add(seat)
        if self.draining:
            seat.leave(Reason.SHUTDOWN)

    def place(self, seat: Seat, tickers: Iterable[str], version: int) -> None:
        """Seats it with these tickers: from the next publication on, it hears them. Changes that came early and are
        newer than `version` count already.
        """
        seat.tickers = set(tickers)
        seat.version = version
        for _, change in seat.early:
            if change.version > seat.version:
                seat.tickers, seat.version = set(change.tickers), change.version
        seat.early.clear()
        seat.seated = True
        for ticker in seat.tickers:
            self._interest.more(ticker)
            self._interest.listen(seat, ticker)

    def connect(self, seat: Seat, line: Line) -> None:
        """From the next publication on, events of this seat, whose mailbox is empty, are written to the line."""
        for ticker in seat.tickers:
            self._interest.unlisten(seat, ticker)
        seat.line = line
        seat.told_s = self._clock.monotonic_s()
        line.on_lag = partial(self._lagging.add, seat)
        line.mark(self._backlog_bytes)
        if line.lags:
            # It says so once, and has: what he was told of the past is still on its way.
            self._lagging.add(seat)
        self._fanout.join(seat, line, seat.tickers, seat.told_s)

    def disconnect(self, seat: Seat) -> None:
        """Takes a line away, after what waits for it was written."""
        if seat.line is not None:
            self._silence(seat)
            seat.line.on_lag = nothing
            seat.line = None

    def say(self, seat: Seat, frame: bytes) -> None:
        """Writes something to one seat's line alone, after everything that waits for it."""
        if seat.line is None or seat.line.is_lost:
            return
        seat.told_s = self._clock.monotonic_s()
        self._fanout.flush(seat.told_s)
        chunk = chunk_of(frame)
        seat.told = seat.told.plus(Tally(frame.count(b"\n\n"), len(chunk)))
        seat.line.write(chunk)
        if seat.line.buffered_bytes > self._backlog_bytes:
            self.let_go(seat)

    def written_bytes(self, seat: Seat) -> int:
        """What was written to a line in all."""
        return seat.told.bytes + self._fanout.tally(seat).bytes

    def told_s(self, seat: Seat) -> float:
        """When something was last written to a line."""
        return max(seat.told_s, self._fanout.told_s(seat))

    def dismiss(self, seat: Seat) -> None:
        """Takes a seat away, once."""
        if seat not in self._seats:
            return
        self._seats.remove(seat)
        self.disconnect(seat)
        for ticker in seat.tickers if seat.seated else ():
            self._interest.unlisten(seat, ticker)
            self._interest.less(ticker)
        if seat.follows_set:
            of_user = self._by_user.get(seat.owner_id, set())
            of_user.discard(seat)
            if not of_user:
                self._by_user.pop(seat.owner_id, None)

    def broadcast(self, batch: Sequence[Publication]) -> None:
        """Offers each publication to the seats that want it, and moves on. To a line they are one write.

        What is published in one turn of the loop comes as one batch. It is written at once: with a thousand lines to
        write to, the loop's next turn is milliseconds away.
        """
        for publication in batch:
            self.position = publication.position
            entry = self.ring.add(publication)
            if publication.kind is PublicationKind.SET_CHANGE:
                self._apply_change(publication)
                continue
            self._draw(publication)
            if self._fanout.wants(publication.ticker):
                self._fanout.offer(publication.ticker, entry.frame)
            for seat in self._interest.listeners(publication.ticker):
                self._offer(seat, entry)
        self._sweep()
        self._moved.set()
        self._moved = asyncio.Event()

    def _sweep(self) -> None:
        self._fanout.flush(self._clock.monotonic_s())
        for seat in list(self._lagging):
            if seat.line is None or not seat.line.lags:
                self._lagging.discard(seat)
            elif seat.line.buffered_bytes > self._backlog_bytes:
                self.let_go(seat)

    def let_go(self, seat: Seat) -> None:
        """He is slow. What was written to him stays on its way; nothing else is."""
        self._silence(seat)
        self.slow_count += 1
        seat.leave(Reason.SLOW)

    def _silence(self, seat: Seat) -> None:
        """From the next publication on, nothing is written to its line; what waits is."""
        self._lagging.discard(seat)
        seat.told = seat.told.plus(self._fanout.part(seat, self._clock.monotonic_s()))

    def _offer(self, seat: Seat, entry: Entry) -> None:
        if seat.reason is not None:
            return
        if seat.line is not None:
            self.say(seat, entry.frame)
            return
        seat.mailbox.offer(entry)
        if seat.mailbox.overflowed:
            self.slow_count += 1
            seat.leave(Reason.SLOW)

    def _draw(self, publication: Publication) -> None:
        known = self._pictures.get(publication.ticker, NOTHING)
        is_tick = publication.kind is PublicationKind.TICK
        if publication.kind is PublicationKind.STATUS:
            self._absence.spoken_of(publication.ticker)
        self._pictures[publication.ticker] = Picture(
            tick=publication if is_tick else known.tick,
            remembered=None if is_tick else known.remembered,
            status=publication if publication.kind is PublicationKind.STATUS else known.status,
            last_seq=publication.seq,
        )

    def _apply_change(self, publication: Publication) -> None:
        of_user = self._by_user.get(publication.user_id or "")
        if not of_user:
            return
        change = decode_set_change(publication.payload)
        for seat in list(of_user):
            if not seat.seated:
                seat.early.append((publication, change))
            elif change.version > seat.version:
                self._change_set(seat, publication, change)

    def _change_set(self, seat: Seat, publication: Publication, change: SetChange, *, by_itself: bool = False) -> None:
        """Brings a seat's set to the one after the change. A change that was never heard is made up for by the next."""
        seat.version = change.version
        gone, new = sorted(seat.tickers.difference(change.tickers)), sorted(set(change.tickers) - seat.tickers)
        seat.tickers = set(change.tickers)
        for ticker in gone:
            self._interest.less(ticker)
            self._interest.unlisten(seat, ticker)
        for ticker in new:
            self._interest.more(ticker)
        if seat.line is None:
            for ticker in new:
                self._interest.listen(seat, ticker)
        elif seat.reason is None:
            now_s = self._clock.monotonic_s()
            seat.told = seat.told.plus(self._fanout.part(seat, now_s))
            self._fanout.join(seat, seat.line, seat.tickers, now_s)
        steps = [*((ticker, Change.UNSUBSCRIBED) for ticker in gone), *((ticker, Change.SUBSCRIBED) for ticker in new)]
        for step in steps:
            # The id promises all of them, so it goes with the last.
            id_ = publication.position if step is steps[-1] and not by_itself else None
            seq = None if by_itself else publication.seq
            ticker, change_of_it = step
            picture = self.snapshot(ticker, id_=id_) if change_of_it is Change.SUBSCRIBED else b""
            frame = set_change(change_of_it, ticker, change.tickers, seq, picture, id_=id_)
            self._offer(seat, Entry(replace(publication, ticker=ticker), frame, change_of_it))

    def snapshot(self, ticker: str, *, id_: Position | None = None) -> bytes:
        """The snapshot event of a ticker as of `position`."""
        return snapshot(ticker, self.picture(ticker), now_ms=self._clock.wall_ms(), id_=id_)

    async def reached(self, seq: int) -> None:
        """Returns when everything up to `seq` was broadcast here."""
        while self.position.seq < seq:
            await self.moved()

    async def moved(self) -> None:
        """Returns with the next broadcast."""
        await self._moved.wait()

    def end(self, subject: str) -> None:
        """Ends the streams that die with this revocation."""
        for seat in list(self._seats):
            if seat.dies_with(subject):
                seat.leave(Reason.REVOKED)

    def drain(self) -> None:
        """Ends every stream: this process stops."""
        self.draining = True
        for seat in list(self._seats):
            seat.leave(Reason.SHUTDOWN)
