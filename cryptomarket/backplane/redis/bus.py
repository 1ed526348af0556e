"""The bus on Redis: one stream is the order, its log, its replay and the writers' queue."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from cryptomarket.backplane.bus import Fence, Loss, Notice, Outgoing, Picture, Standing
from cryptomarket.backplane.redis.answers import Answer, Command, Value, as_bytes, as_int, as_list, as_pairs
from cryptomarket.backplane.redis.entries import entry_id, proven_whole, publications_of
from cryptomarket.backplane.redis.groups import Groups
from cryptomarket.backplane.redis.lane import Lane
from cryptomarket.backplane.redis.line import Line
from cryptomarket.backplane.redis.link import RedisLink
from cryptomarket.backplane.redis.notices import Notices
from cryptomarket.backplane.redis.pictures import picture_of
from cryptomarket.backplane.redis.script import ORDER, PUBLISHING, Script
from cryptomarket.errors import BusUnavailable, Fenced, LogTooShort
from cryptomarket.market.position import Position
from cryptomarket.market.wire import Publication, PublicationKind

FOLLOW_BATCH = 1024
WINDOW = 16

_PUBLISH = Script("publish", PUBLISHING)
_PUBLISH_CHANGE = Script("publish_change", PUBLISHING)
_REMEMBER = Script("remember", (*ORDER, "ticker"))
_HEAD = Script("head", ORDER)
_PICTURES = Script("pictures", ORDER)
_STANDING = Script("standing", ORDER)


@dataclass(frozen=True, slots=True)
class _State:
    """Where the order stands: the epoch, what its log holds, and the last ring of the bell that tells of a new one."""

    epoch: str
    head: int
    first: int
    bell: bytes = b"0-0"

    def refuse_unless_held(self, after: Position) -> None:
        if after.epoch != self.epoch or after.seq > self.head or after.seq + 1 < self.first:
            raise LogTooShort(str(after))


class RedisBus:
    """`Bus` on Redis, for as long as it is entered: then it hears notices.

    A batch is one script. Batches of one process follow each other on one connection without waiting for the answers;
    at most `window` are under way. After BusUnavailable it is not known whether a batch was published, but once
    `pictures` has answered it is: what was not published by then never will be. Followers read at the link's replica,
    if it has one; when that is away or behind, at the primary.
    """

    def __init__(
        self,
        link: RedisLink,
        *,
        log_capacity: int = 100_000,
        log_hard_capacity: int = 1_000_000,
        window: int = WINDOW,
        dead_s: float = 30.0,
    ) -> None:
        self._link = link
        self._bounds: tuple[Value, Value] = (log_capacity, max(log_capacity, log_hard_capacity))
        self.window = window
        self._name = link.new_name()
        self._lane = Lane(
            link.primary, _PUBLISH, link.keys.lane(self._name), window=window, monotonic_s=link.monotonic_s
        )
        self._groups = Groups(link, dead_s=dead_s)
        self._notices = Notices(link)
        self._replica_rests_until_s = 0.0
        self._tasks = asyncio.TaskGroup()
        self._hearing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begins to hear notices. Raises BusUnavailable."""
        await self._notices.begin()
        await self._tasks.__aenter__()
        self._hearing = self._tasks.create_task(self._notices.run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._hearing is not None:
            self._hearing.cancel()
        try:
            # What went wrong inside of the block goes on as it is, not as one of a group.
            await self._tasks.__aexit__(None, None, None)
        finally:
            await self._lane.close()

    async def publish(self, batch: Sequence[Outgoing], fence: Fence) -> list[Publication]:
        """See Bus.publish."""
        words = [part for each in batch for part in (each.kind.value, each.ticker, each.payload)]
        owner = (fence.name, fence.token, fence.epoch or "")

        def command_of(number: int) -> Command:
            return self._link.call_of(_PUBLISH, *self._bounds, *owner, self._name, number, *words)

        told = as_list(await self._lane.run(command_of))
        if told == [b"fenced"]:
            raise Fenced(fence.name, fence.token)
        if told == [b"closed"]:
            await self._lane.close()
            raise BusUnavailable("Redis was away.")
        epoch, first = as_bytes(told[0]).decode(), as_int(told[1])
        places = [(Position(epoch, first + at), as_int(seq) if seq else None) for at, seq in enumerate(told[2:])]
        return [
            Publication(position, each.kind, each.ticker, previous, each.payload)
            for each, (position, previous) in zip(batch, places, strict=True)
        ]

    async def publish_change(self, user_id: str, ticker: str, payload: bytes) -> Publication:
        """See Bus.publish_change."""
        told = as_list(await self._link.run(_PUBLISH_CHANGE, *self._bounds, user_id, ticker, payload))
        position = Position(as_bytes(told[0]).decode(), as_int(told[1]))
        return Publication(position, PublicationKind.SET_CHANGE, ticker, None, payload, user_id)

    async def head(self) -> Position:
        """See Bus.head. Always the primary's."""
        state = await self._state()
        return Position(state.epoch, state.head)

    async def _state(self) -> _State:
        epoch, head, first, bell = (as_bytes(part) for part in as_list(await self._link.run(_HEAD)))
        return _State(epoch.decode(), int(head), int(first), bell)

    async def pictures(self, tickers: Collection[str] | None = None) -> tuple[Position, dict[str, Picture]]:
        """See Bus.pictures. Always the primary's."""
        await self._settle()
        asked = ("all",) if tickers is None else ("these", *tickers)
        told = as_list(await self._link.run(_PICTURES, *asked))
        epoch = as_bytes(told[0]).decode()
        pictures = {}
        for name, known in as_pairs(told[2:]):
            ticker = as_bytes(name).decode()
            picture = picture_of(epoch, ticker, known)
            if picture != Picture():
                pictures[ticker] = picture
        return Position(epoch, as_int(told[1])), pictures

    async def _settle(self) -> None:
        """Sees to it that what was under way when the lane broke is either in the pictures that are asked for next, or
        nowhere and never.
        """
        if self._lane.is_broken:
            await self._lane.open()

    async def remember(self, ticker: str, payload: bytes) -> None:
        """See Bus.remember."""
        await self._link.run(_REMEMBER, ticker, payload)

    async def since(self, after: Position, until: int, limit: int) -> list[Publication]:
        """See Bus.since. Read at the primary, which holds what a replica may not have yet."""
        last = min(until, after.seq + limit)
        # The order is read last, so that what it says of the log held when the entries were read. No transaction: a
        # server that is out of memory refuses even those that only read.
        order: Command = ("HMGET", self._link.keys.order, "epoch", "head", "first")
        entries: Command = ("XRANGE", self._link.keys.log(after.epoch), entry_id(after.seq + 1), entry_id(last))
        *found, told = await self._link.primary.ask(*([entries] if last > after.seq else []), order)
        epoch, head, first = as_list(told)
        if epoch is None:
            raise LogTooShort(str(after))
        _State(as_bytes(epoch).decode(), as_int(head), as_int(first)).refuse_unless_held(after)
        batch = publications_of(after.epoch, found[0] if found else [])
        proven_whole(batch, after)
        return batch

    async def follow(self, after: Position) -> AsyncIterator[list[Publication]]:
        """See Bus.follow."""
        state = await self._state()
        state.refuse_unless_held(after)
        cursor = after
        while True:
            batch = await self._next(cursor, state.bell)
            if batch:
                cursor = batch[-1].position
                yield batch

    async def _next(self, cursor: Position, bell: bytes) -> list[Publication]:
        """What follows, after a while nothing."""
        replica = self._link.replica if self._link.monotonic_s() >= self._replica_rests_until_s else None
        try:
            read = await self._read(replica, cursor, bell)
        except BusUnavailable:
            if replica is None:
                raise
            self._leave_the_replica()
            return []
        keys = self._link.keys
        told = {as_bytes(name): entries for name, entries in map(as_list, as_list(read or []))}
        batch = publications_of(cursor.epoch, told.get(keys.log(cursor.epoch).encode(), []))
        if batch:
            proven_whole(batch, cursor)
            return batch
        state = await self._state()
        state.refuse_unless_held(cursor)
        if state.head > cursor.seq and replica is not None:
            self._leave_the_replica()
        return []

    def _leave_the_replica(self) -> None:
        self._replica_rests_until_s = self._link.monotonic_s() + self._link.patience.replica_rest_s

    async def _read(self, replica: Line | None, cursor: Position, bell: bytes) -> Answer:
        keys = self._link.keys
        # Who has heard nothing for so long asks the primary whether he should have.
        block_ms = max(1, round(min(self._link.patience.look_s, self._link.longest_wait_s) * 1000))
        command: Command = ("XREAD", "COUNT", FOLLOW_BATCH, "BLOCK", block_ms, "STREAMS")
        streams: Command = (keys.log(cursor.epoch), keys.order_bell, entry_id(cursor.seq), bell)
        if replica is not None:
            return (await replica.ask((*command, *streams)))[0]
        return await self._link.wait(*command, *streams)

    async def consume(self, group: str, consumer: str, *, limit: int, wait_s: float) -> list[Publication]:
        """See Bus.consume."""
        return await self._groups.consume(group, consumer, limit=limit, wait_s=wait_s)

    async def acknowledge(self, group: str, batch: Sequence[Publication]) -> None:
        """See Bus.acknowledge. What was taken of an epoch that has ended is acknowledged there."""
        await self._groups.acknowledge(group, batch)

    async def acknowledged(self, group: str) -> int:
        """See Bus.acknowledged."""
        return await self._groups.acknowledged(group)

    async def given_up(self, group: str) -> int:
        """See Bus.given_up."""
        return await self._groups.given_up(group)

    async def losses(self, group: str) -> list[Loss]:
        """See Bus.losses."""
        return await self._groups.losses(group)

    async def forget(self, group: str, losses: Sequence[Loss]) -> None:
        """See Bus.forget."""
        await self._groups.forget(group, losses)

    async def standing(self, group: str, ticker: str) -> Standing:
        """See Bus.standing. Always the primary's."""
        await self._settle()
        epoch, head, acknowledged, has_losses, known = as_list(await self._link.run(_STANDING, group, ticker))
        name = as_bytes(epoch).decode()
        picture = picture_of(name, ticker, known)
        place = Position(name, as_int(head))
        return Standing(as_int(acknowledged), as_int(has_losses) == 1, place, None if picture == Picture() else picture)

    async def notify(self, notice: Notice) -> None:
        """See Bus.notify."""
        await self._notices.notify(notice)

    def notices(self) -> AsyncIterator[Notice]:
        """See Bus.notices. Raises nothing while Redis is away: what was told meanwhile is heard on return."""
        return self._notices.listen()

    async def ping(self) -> None:
        """See Bus.ping. The primary answers."""
        await self._link.ask("PING")
