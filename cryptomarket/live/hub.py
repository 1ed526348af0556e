"""The seats of this process, and the picture they share: who hears what, and what is known of every ticker.

`broadcast` never waits: an event is encoded once and offered to each seat that wants it. Because the picture, the
position and the seats change in the same call, a seat that is taken at position P with snapshots of P misses nothing
and hears nothing twice: there is no crack between looking and listening.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from cryptomarket.backplane.bus import Picture
from cryptomarket.clock import Clock
from cryptomarket.live.events import event, frame_of, snapshot
from cryptomarket.live.mailbox import Entry, Mailbox
from cryptomarket.market.position import Position
from cryptomarket.market.wire import Change, Publication, PublicationKind, SetChange, decode_set_change

NOTHING = Picture()


class Reason(StrEnum):
    """Why we end a stream."""

    SLOW = "slow"
    DRAIN = "drain"
    REVOKED = "revoked"
    EXPIRED = "expired"
    SHUTDOWN = "shutdown"


@dataclass(eq=False)
class Seat:
    """One stream's place. `owner_id` is its user; `follows_set` says that it carries his saved set, of which `version`
    was applied. `dies_with` tells whether a revocation ends it.
    """

    mailbox: Mailbox
    owner_id: str
    follows_set: bool = False
    dies_with: Callable[[str], bool] = lambda subject: False
    tickers: set[str] = field(default_factory=set)
    version: int = -1
    early: list[tuple[Publication, SetChange]] = field(default_factory=list)
    seated: bool = False
    reason: Reason | None = None
    left: asyncio.Event = field(default_factory=asyncio.Event)

    def leave(self, reason: Reason) -> None:
        """Asks the stream to say why, and end. The first reason stands."""
        if self.reason is None:
            self.reason = reason
            self.left.set()
            self.mailbox.ready.set()
            self.mailbox.urgent.set()


class Hub:
    """Seats by ticker and by user. Bound: seats are limited by the stream places of users and process."""

    def __init__(self, position: Position, clock: Clock) -> None:
        self.position = position
        self._clock = clock
        self._pictures: dict[str, Picture] = {}
        self._by_ticker: dict[str, set[Seat]] = {}
        self._by_user: dict[str, set[Seat]] = {}
        self._seats: set[Seat] = set()
        self._moved = asyncio.Event()
        self.demand_changed = asyncio.Event()
        self.draining = False
        self.slow_count = 0

    @property
    def seats(self) -> Collection[Seat]:
        """All seats."""
        return self._seats

    @property
    def tickers(self) -> frozenset[str]:
        """What the streams of this process want."""
        return frozenset(self._by_ticker)

    def picture(self, ticker: str) -> Picture:
        """What is known of a ticker as of `position`."""
        return self._pictures.get(ticker, NOTHING)

    def recall(self, ticker: str, remembered: bytes | None) -> None:
        """Fills in the last tick of a former epoch. Ticks of this epoch come by `broadcast` alone, in their order."""
        known = self.picture(ticker)
        if known.tick is None and remembered is not None:
            self._pictures[ticker] = replace(known, remembered=remembered)

    def begin(self, position: Position, pictures: dict[str, Picture]) -> None:
        """Starts anew at a position. Streams of the order before can't be continued: they hear nothing from here on,
        so that no id of theirs lies beyond what was missed, and come back with what they have.
        """
        self.position = position
        self._pictures = dict(pictures)
        for seat in list(self._seats):
            seat.leave(Reason.DRAIN)
        self._moved.set()
        self._moved = asyncio.Event()

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
            self._listen(seat, ticker)

    def dismiss(self, seat: Seat) -> None:
        """Takes a seat away."""
        self._seats.discard(seat)
        for ticker in list(seat.tickers):
            self._unlisten(seat, ticker)
        if seat.follows_set:
            of_user = self._by_user.get(seat.owner_id, set())
            of_user.discard(seat)
            if not of_user:
                self._by_user.pop(seat.owner_id, None)

    def _listen(self, seat: Seat, ticker: str) -> None:
        if ticker not in self._by_ticker:
            self.demand_changed.set()
        self._by_ticker.setdefault(ticker, set()).add(seat)

    def _unlisten(self, seat: Seat, ticker: str) -> None:
        of_ticker = self._by_ticker.get(ticker)
        if of_ticker is not None:
            of_ticker.discard(seat)
            if not of_ticker:
                del self._by_ticker[ticker]
                self.demand_changed.set()

    def broadcast(self, batch: Sequence[Publication]) -> None:
        """Offers each publication to the seats that want it, and moves on."""
        for publication in batch:
            self.position = publication.position
            if publication.kind is PublicationKind.SET_CHANGE:
                self._apply_change(publication)
                continue
            self._draw(publication)
            of_ticker = self._by_ticker.get(publication.ticker)
            if of_ticker:
                entry = Entry(publication, frame_of(publication))
                for seat in of_ticker:
                    self._offer(seat, entry)
        self._moved.set()
        self._moved = asyncio.Event()

    def _offer(self, seat: Seat, entry: Entry) -> None:
        if seat.reason is not None:
            return
        seat.mailbox.offer(entry)
        if seat.mailbox.overflowed:
            self.slow_count += 1
            seat.leave(Reason.SLOW)

    def _draw(self, publication: Publication) -> None:
        known = self._pictures.get(publication.ticker, NOTHING)
        is_tick = publication.kind is PublicationKind.TICK
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

    def _change_set(self, seat: Seat, publication: Publication, change: SetChange) -> None:
        """Brings a seat's set to the one after the change. A change that was never heard is made up for by the next."""
        seat.version = change.version
        gone, new = sorted(seat.tickers.difference(change.tickers)), sorted(set(change.tickers) - seat.tickers)
        for ticker in gone:
            seat.tickers.discard(ticker)
            self._unlisten(seat, ticker)
        for ticker in new:
            seat.tickers.add(ticker)
            self._listen(seat, ticker)
        steps = [*((ticker, Change.UNSUBSCRIBED) for ticker in gone), *((ticker, Change.SUBSCRIBED) for ticker in new)]
        for step in steps:
            # The id promises all of them, so it goes with the last.
            id_ = publication.position if step is steps[-1] else None
            self._offer(seat, self._told(publication, *step, change.tickers, id_))

    def _told(
        self, publication: Publication, ticker: str, change: Change, tickers: Sequence[str], id_: Position | None
    ) -> Entry:
        told = replace(publication, ticker=ticker)
        data = {"ticker": ticker, "tickers": tickers, "seq": publication.seq}
        if change is Change.UNSUBSCRIBED:
            return Entry(told, event(change.value, data, id_=id_), change)
        return Entry(told, event(change.value, data) + self.snapshot(ticker, id_=id_), change)

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
