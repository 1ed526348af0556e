"""The bus in this process: the embedded deployment's, and the reference that the Redis form is held to."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass, field

import msgspec

from cryptomarket.backplane.bus import Fence, Loss, Notice, Outgoing, Picture, Standing
from cryptomarket.backplane.memory.bell import Bell
from cryptomarket.backplane.memory.log import Log
from cryptomarket.backplane.memory.losses import with_lost
from cryptomarket.errors import Fenced
from cryptomarket.market.position import MAX_SEQ, Position
from cryptomarket.market.wire import Publication, PublicationKind

FOLLOW_BATCH = 1024
NOTICES_BOUND = 1024

FenceCheck = Callable[[str, int], bool]


@dataclass
class _Group:
    """How far a group of consumers has come.

    `pending` is what was handed out and not acknowledged, by sequence, oldest first; `again` are those of them that are
    handed out once more. Bound: what the consumers hold. `losses` are bounded by tickers.
    """

    handed_out: int = 0
    acknowledged: int = 0
    given_up: int = 0
    pending: dict[int, Publication] = field(default_factory=dict)
    again: list[int] = field(default_factory=list)
    losses: dict[str, Loss] = field(default_factory=dict)

    def settle(self) -> None:
        """Finds anew up to where everything is acknowledged."""
        self.acknowledged = next(iter(self.pending)) - 1 if self.pending else self.handed_out

    def lose(self, publication: Publication) -> None:
        """The group will never get this one."""
        self.given_up += 1
        if publication.kind is not PublicationKind.SET_CHANGE:
            self.losses[publication.ticker] = with_lost(self.losses.get(publication.ticker), publication)


class MemoryBus:
    """`Bus` in one process. A publication takes its place in one function call, so nothing can come between.

    Followers read the log itself at their own cursor; there is no queue per follower.
    `is_newest` answers whether a lease's token is the newest of its name.
    """

    def __init__(
        self, epoch: str, *, is_newest: FenceCheck, log_capacity: int = 100_000, log_hard_capacity: int = 1_000_000
    ) -> None:
        self._log = Log(epoch, capacity=log_capacity, hard_capacity=log_hard_capacity)
        self._is_newest = is_newest
        self._pictures: dict[str, Picture] = {}
        self._groups: dict[str, _Group] = {}
        self._published = Bell()
        self._listeners: set[asyncio.Queue[Notice]] = set()

    @property
    def window(self) -> int:
        """See Bus.window."""
        return 1

    async def publish(self, batch: Sequence[Outgoing], fence: Fence) -> list[Publication]:
        """See Bus.publish."""
        if not self._is_newest(fence.name, fence.token) or fence.epoch not in (None, self._log.epoch):
            raise Fenced(fence.name, fence.token)
        # Nothing is acknowledged between two of one batch.
        owed_from = self._owed_from()
        told = [self._append(outgoing, owed_from) for outgoing in batch]
        if told:
            self._published.ring()
        return told

    async def publish_change(self, user_id: str, ticker: str, payload: bytes) -> Publication:
        """See Bus.publish_change."""
        publication = Publication(self._next(), PublicationKind.SET_CHANGE, ticker, None, payload, user_id)
        self._log_in(publication, self._owed_from())
        self._published.ring()
        return publication

    def _log_in(self, publication: Publication, owed_from: int) -> None:
        for lost in self._log.append(publication, owed_from=owed_from):
            for group in self._groups.values():
                # What was handed out is in a consumer's hands, and lost only when he dies before it is stored.
                if lost.seq > group.handed_out:
                    group.handed_out = lost.seq
                    group.lose(lost)

    def _next(self) -> Position:
        return Position(self._log.epoch, self._log.head + 1)

    def _owed_from(self) -> int:
        """Where what is not acknowledged begins; beyond everything when there is nobody to acknowledge."""
        return min((group.acknowledged + 1 for group in self._groups.values()), default=MAX_SEQ)

    def _append(self, outgoing: Outgoing, owed_from: int) -> Publication:
        kind, ticker = outgoing.kind, outgoing.ticker
        before = self._pictures.get(ticker) or Picture()
        publication = Publication(self._next(), kind, ticker, before.last_seq, outgoing.payload)
        self._log_in(publication, owed_from)
        self._pictures[ticker] = Picture(
            tick=publication if kind is PublicationKind.TICK else before.tick,
            remembered=None if kind is PublicationKind.TICK else before.remembered,
            status=publication if kind is PublicationKind.STATUS else before.status,
            last_seq=publication.seq,
        )
        return publication

    async def head(self) -> Position:
        """See Bus.head."""
        return Position(self._log.epoch, self._log.head)

    async def pictures(self, tickers: Collection[str] | None = None) -> tuple[Position, dict[str, Picture]]:
        """See Bus.pictures."""
        asked = self._pictures if tickers is None else tickers
        known = {ticker: self._pictures[ticker] for ticker in asked if ticker in self._pictures}
        return Position(self._log.epoch, self._log.head), known

    async def remember(self, ticker: str, payload: bytes) -> None:
        """See Bus.remember."""
        before = self._pictures.get(ticker) or Picture()
        if before.tick is None:
            self._pictures[ticker] = msgspec.structs.replace(before, remembered=payload)

    async def since(self, after: Position, until: int, limit: int) -> list[Publication]:
        """See Bus.since."""
        return self._log.between(after, until, limit)

    async def follow(self, after: Position) -> AsyncIterator[list[Publication]]:
        """See Bus.follow."""
        cursor = after
        while True:
            batch = self._log.between(cursor, self._log.head, FOLLOW_BATCH)
            if batch:
                cursor = batch[-1].position
                yield batch
            else:
                await self._published.wait()

    def join(self, group: str) -> None:
        """Makes the group known, so that the log keeps what it has not acknowledged. From the log's first entry on."""
        if group not in self._groups:
            start = self._log.first - 1
            self._groups[group] = _Group(start, start)

    async def consume(self, group: str, consumer: str, *, limit: int, wait_s: float) -> list[Publication]:
        """See Bus.consume. In one process there is one consumer, so what it left is what it took and did not
        acknowledge: it is handed out again to whoever comes after it by `leave`.
        """
        self.join(group)
        state = self._groups[group]
        if not state.again and state.handed_out >= self._log.head:
            await self._published.wait(wait_s)
        batch = self._once_more(state, limit)
        if len(batch) < limit:
            batch += self._next_of(state, limit - len(batch))
        state.settle()
        return batch

    def _once_more(self, state: _Group, limit: int) -> list[Publication]:
        batch: list[Publication] = []
        while state.again and len(batch) < limit:
            seq = state.again.pop(0)
            if seq not in state.pending:
                continue
            if seq < self._log.first:
                state.lose(state.pending.pop(seq))
            else:
                batch.append(self._log.at(seq))
        return batch

    def _next_of(self, state: _Group, limit: int) -> list[Publication]:
        batch = self._log.between(Position(self._log.epoch, state.handed_out), self._log.head, limit)
        if batch:
            state.handed_out = batch[-1].seq
            state.pending.update((publication.seq, publication) for publication in batch)
        return batch

    def leave(self, group: str) -> None:
        """The group's consumer is gone: what it took and did not acknowledge is handed out again."""
        state = self._groups.get(group)
        if state is not None:
            state.again = list(state.pending)

    async def acknowledge(self, group: str, batch: Sequence[Publication]) -> None:
        """See Bus.acknowledge."""
        self.join(group)
        state = self._groups[group]
        for publication in batch:
            if publication.position.epoch == self._log.epoch:
                state.pending.pop(publication.seq, None)
        state.settle()

    async def acknowledged(self, group: str) -> int:
        """See Bus.acknowledged."""
        state = self._groups.get(group)
        return state.acknowledged if state is not None else 0

    async def given_up(self, group: str) -> int:
        """See Bus.given_up."""
        state = self._groups.get(group)
        return state.given_up if state is not None else 0

    async def losses(self, group: str) -> list[Loss]:
        """See Bus.losses."""
        state = self._groups.get(group)
        return list(state.losses.values()) if state is not None else []

    async def forget(self, group: str, losses: Sequence[Loss]) -> None:
        """See Bus.forget."""
        self.join(group)
        of_group = self._groups[group].losses
        for told in losses:
            if of_group.get(told.ticker) == told:
                del of_group[told.ticker]

    async def standing(self, group: str, ticker: str) -> Standing:
        """See Bus.standing."""
        acknowledged = await self.acknowledged(group)
        has_losses = any(loss.ticker == ticker for loss in await self.losses(group))
        head, pictures = await self.pictures([ticker])
        return Standing(acknowledged, has_losses, head, pictures.get(ticker))

    async def notify(self, notice: Notice) -> None:
        """See Bus.notify. Bound: 1024 notices wait per listener; the oldest makes room, and listeners that must not
        miss one read their truth anew on a schedule.
        """
        for queue in self._listeners:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(notice)

    def notices(self) -> AsyncIterator[Notice]:
        """See Bus.notices."""
        queue: asyncio.Queue[Notice] = asyncio.Queue(maxsize=NOTICES_BOUND)
        self._listeners.add(queue)
        return self._drain(queue)

    async def _drain(self, queue: asyncio.Queue[Notice]) -> AsyncIterator[Notice]:
        try:
            while True:
                yield await queue.get()
        finally:
            self._listeners.discard(queue)

    async def ping(self) -> None:
        """See Bus.ping: this process answers itself."""
