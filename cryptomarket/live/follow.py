"""Opening a stream: resume where the reader left, or begin from snapshots; then live, with no crack between.

The seat is taken first. Everything that follows happens at one position P of the hub, in one call: what lies at or
below P is told by the replay or the snapshots, what lies above comes to the mailbox.
"""

import asyncio
from collections.abc import AsyncGenerator, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from cryptomarket.backplane.bus import Bus
from cryptomarket.errors import DatabaseUnavailable, LogTooShort
from cryptomarket.live.events import event
from cryptomarket.live.hub import Hub
from cryptomarket.live.mailbox import Entry
from cryptomarket.live.recall import Recall
from cryptomarket.live.seat import Seat
from cryptomarket.market.position import Position
from cryptomarket.market.wire import Change, Publication, PublicationKind

REPLAY_PAGE = 500
REPLAYS_AT_ONCE = 8
ARCHIVE_REPLAYS_AT_ONCE = 2


class Resume(StrEnum):
    """How a stream begins."""

    FRESH = "fresh"
    COMPLETE = "complete"
    RESET = "reset"


@dataclass(frozen=True, slots=True)
class SavedTicker:
    """A ticker of a saved set and the position of its subscription, None until the change was published."""

    ticker: str
    since: Position | None


@dataclass(frozen=True, slots=True)
class SavedSet:
    """A user's saved set as of its `version`."""

    tickers: Sequence[SavedTicker]
    version: int


class SavedSets(Protocol):
    """Where saved sets are kept."""

    async def saved_set(self, user_id: str) -> SavedSet:
        """The user's set."""
        ...


class Stored(Protocol):
    """What was found in the database."""

    @property
    def publications(self) -> list[Publication]:
        """In order."""
        ...

    @property
    def until_seq(self) -> int:
        """Up to here there are no others about the tickers."""
        ...

    @property
    def stored_seq(self) -> int:
        """Up to here more can be asked for now."""
        ...


class Archive(Protocol):
    """What is stored, as far as it is provably whole."""

    async def after(self, after: Position, until_seq: int, tickers: Collection[str], *, limit: int) -> Stored:
        """Publications about these tickers after a position. Raises LogTooShort when that can't be proven."""
        ...


@dataclass(frozen=True, slots=True)
class Opening:
    """What a stream begins with: `replayed` tickers are told from after `after` to `until`, then `later` ones, which
    were subscribed since, are told as groups of `subscribed` and snapshot.
    """

    resume: Resume
    position: Position
    tickers: tuple[str, ...]
    snapshots: tuple[bytes, ...] = ()
    after: Position | None = None
    until: int = 0
    replayed: frozenset[str] = frozenset()
    later: tuple[bytes, ...] = ()


class Opener:
    """Opens streams on the hub of this process."""

    def __init__(
        self,
        hub: Hub,
        bus: Bus,
        saved_sets: SavedSets,
        *,
        ahead_s: float,
        replay_page: int = REPLAY_PAGE,
        recall: Recall | None = None,
        archive: Archive | None = None,
    ) -> None:
        self._archive = archive
        self._hub = hub
        self._bus = bus
        self._saved_sets = saved_sets
        self._ahead_s = ahead_s
        self._replay_page = replay_page
        # Bounds of what a crowd asks of the bus and of the database at once; the rest wait for their turn.
        self._pace = asyncio.Semaphore(REPLAYS_AT_ONCE)
        self._archive_pace = asyncio.Semaphore(ARCHIVE_REPLAYS_AT_ONCE)
        self._recall = recall or Recall(hub, bus)

    async def open(self, seat: Seat, fixed: Collection[str] | None, last_event_id: str | None) -> Opening:
        """Seats `seat`, which was admitted, and says what to tell first.

        `fixed` are the tickers of a stream that carries exactly these; None follows the saved set of `seat.owner_id`.
        """
        after = await self._resumable(last_event_id) if last_event_id is not None else None
        if fixed is None:
            saved = await self._settled(seat)
            since = {row.ticker: row.since for row in saved.tickers}
            version = saved.version
        else:
            since, version = dict.fromkeys(fixed), 0
        await self._recall(since)
        if after is not None and not await self._reaches(after, since):
            after = None
        # From here to the end nothing is awaited: position, pictures and seat are of one moment.
        tickers = tuple(since)
        since |= _published(seat)
        self._hub.place(seat, tickers, version)
        if after is not None and after.epoch != self._hub.position.epoch:
            after = None
        if after is None:
            resume = Resume.FRESH if last_event_id is None else Resume.RESET
            return self._from_snapshots(seat, resume)
        return self._from_replay(seat, after, {} if fixed is not None else since, all_of=fixed is not None)

    async def _settled(self, seat: Seat) -> SavedSet:
        """The set of the seat's user, once this process has heard every change that made it: only then is it known
        which of its tickers lie before an id. A change that is kept and never heard is not waited for long.
        """
        saved = await self._saved_sets.saved_set(seat.owner_id)
        try:
            async with asyncio.timeout(self._ahead_s):
                while any(row.since is None and row.ticker not in _published(seat) for row in saved.tickers):
                    await self._hub.moved()
                    saved = await self._saved_sets.saved_set(seat.owner_id)
                epoch = self._hub.position.epoch
                at = [row.since.seq for row in saved.tickers if row.since is not None and row.since.epoch == epoch]
                await self._hub.reached(max(at, default=0))
        except TimeoutError:
            saved = await self._saved_sets.saved_set(seat.owner_id)
        return saved

    async def _resumable(self, last_event_id: str) -> Position | None:
        """The position to resume after, None when that can't be done exactly."""
        position = Position.parse(last_event_id)
        if position is None or position.epoch != self._hub.position.epoch:
            return None
        try:
            if position.seq > self._hub.position.seq:
                async with asyncio.timeout(self._ahead_s):
                    if position.seq > (await self._bus.head()).seq:
                        return None
                    await self._hub.reached(position.seq)
        except TimeoutError:
            return None
        return position

    async def _reaches(self, after: Position, tickers: Collection[str]) -> bool:
        """Whether everything after a position can be told: by the ring, the log, or the database and then the log.

        Raises BusUnavailable: an id that only an absent bus could answer is worth coming back with. A database that is
        away is not waited for, since streams go on without it.
        """
        if self._hub.ring.reaches(after.seq):
            return True
        until = self._hub.position.seq
        try:
            async with self._pace:
                await self._bus.since(after, until, 1)
        except LogTooShort:
            if self._archive is None:
                return False
        else:
            return True
        try:
            async with self._archive_pace:
                stored = await self._archive.after(after, until, tickers, limit=1)
            # Where the database ends, the log must go on.
            await self._bus.since(Position(after.epoch, stored.stored_seq), until, 1)
        except (LogTooShort, DatabaseUnavailable):
            return False
        return True

    def _from_snapshots(self, seat: Seat, resume: Resume) -> Opening:
        position = self._hub.position
        tickers = tuple(sorted(seat.tickers))
        snapshots = tuple(
            self._hub.snapshot(ticker, id_=position if ticker == tickers[-1] else None) for ticker in tickers
        )
        return Opening(resume, position, tickers, snapshots)

    def _from_replay(self, seat: Seat, after: Position, since: dict[str, Position | None], *, all_of: bool) -> Opening:
        had = [ticker for ticker in sorted(seat.tickers) if all_of or _had_before(since.get(ticker), after)]
        later, tickers = [], list(had)
        for ticker in sorted(seat.tickers.difference(had)):
            tickers.append(ticker)
            at = since.get(ticker)
            data = {"ticker": ticker, "tickers": sorted(tickers), "seq": at.seq if at is not None else None}
            # The id promises all of them, so it goes with the last.
            id_ = self._hub.position if len(tickers) == len(seat.tickers) else None
            later.append(event("subscribed", data) + self._hub.snapshot(ticker, id_=id_))
        return Opening(
            Resume.COMPLETE,
            after,
            tuple(had),
            after=after,
            until=self._hub.position.seq,
            replayed=frozenset(had),
            later=tuple(later),
        )

    async def replay(self, opening: Opening) -> AsyncGenerator[list[Entry], None]:
        """The events between, a page at a time. Raises LogTooShort when the log was trimmed meanwhile."""
        after = opening.after
        while after is not None and after.seq < opening.until:
            page, until = await self._page(after, opening)
            after = Position(after.epoch, until)
            entries = [
                entry
                for entry in page
                if entry.publication.kind is not PublicationKind.SET_CHANGE
                and entry.publication.ticker in opening.replayed
            ]
            # Also when it is empty, so that who listens can see whether anybody is still there.
            yield entries

    async def _page(self, after: Position, opening: Opening) -> tuple[Sequence[Entry], int]:
        """The next events of the order and the sequence they reach: out of this process's own ring as far as it
        reaches back, else of the log, else of the database.
        """
        # A crowd's replays take turns with what is live.
        await asyncio.sleep(0)
        if after.epoch != self._hub.position.epoch:
            raise LogTooShort(str(after))
        if self._hub.ring.reaches(after.seq):
            entries = self._hub.ring.since(after.seq, opening.until, self._replay_page)
            return entries, entries[-1].publication.seq
        try:
            async with self._pace:
                page = await self._bus.since(after, opening.until, self._replay_page)
        except LogTooShort:
            if self._archive is None:
                raise
        else:
            return [Entry(found) for found in page], page[-1].seq
        async with self._archive_pace:
            told = await self._archive.after(after, opening.until, opening.replayed, limit=self._replay_page)
        return [Entry(found) for found in told.publications], told.until_seq


def _published(seat: Seat) -> dict[str, Position]:
    """Where subscriptions were published that the seat heard of while it was opened."""
    return {
        change.ticker: publication.position for publication, change in seat.early if change.change is Change.SUBSCRIBED
    }


def _had_before(since: Position | None, after: Position) -> bool:
    """Whether a ticker subscribed at `since` was in the set at `after`; None: its change is still to be published."""
    return since is not None and (since.epoch != after.epoch or since.seq <= after.seq)
