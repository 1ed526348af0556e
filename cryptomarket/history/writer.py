"""From the bus into the database: every publication kept once, acknowledged after the commit."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import msgspec
import structlog

from cryptomarket.backoff import Backoff
from cryptomarket.backplane.bus import Bus
from cryptomarket.clock import Clock
from cryptomarket.errors import BusUnavailable, DatabaseUnavailable
from cryptomarket.history.jobs import make_months
from cryptomarket.history.losses import Losses
from cryptomarket.history.repository import Heard, Repository, Unstorable
from cryptomarket.market.ticks import Gap, Status, Tick
from cryptomarket.market.wire import Publication, PublicationKind, decode_gap, decode_head, decode_status

log = structlog.get_logger(__name__)

GROUP = "store"
_FIRST_PAUSE_S = 0.1
_PLACES_AGAIN_MS = 10_000
_LOOKS_PER_FLUSH = 4
_LOOK_S = 0.001
_IDLE_S = 0.2  # how long a stop may have to wait for a writer that has nothing to do
_INT64 = range(-(2**63), 2**63)


@dataclass
class Counts:
    """What the writer has done since it started. `unreadable` and `refused` are publications that were given up: they
    could not be decoded, or the database would not take them.
    """

    stored: int = 0
    unreadable: int = 0
    refused: int = 0


class Unreadable(ValueError):
    """A publication that says nothing we can keep."""


def read(publication: Publication) -> Tick | Status | Gap | None:
    """What a publication says; None for one that is not history. Raises Unreadable."""
    try:
        match publication.kind:
            case PublicationKind.TICK:
                return _in_bounds(decode_head(publication.payload))
            case PublicationKind.STATUS:
                return decode_status(publication.payload)
            case PublicationKind.GAP:
                return decode_gap(publication.payload)
            case PublicationKind.SET_CHANGE:
                return None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unreadable(str(error)) from error


def _in_bounds(tick: Tick) -> Tick:
    if tick.timestamp_ms in _INT64 and tick.received_us in _INT64 and (tick.published_us or 0) in _INT64:
        return tick
    raise Unreadable("a time is beyond 64 bits")


class Writer:
    """One consumer of the writers' group. `run` keeps going whatever is away; `stop` ends it in order.

    Bound: a batch is written at `flush_rows` publications, or `flush_ms` after its first one was taken, and nothing is
    taken from the bus while a batch waits for the database: then the log keeps what is owed.
    """

    def __init__(
        self,
        bus: Bus,
        repository: Repository,
        *,
        consumer: str,
        clock: Clock,
        group: str = GROUP,
        flush_rows: int = 1000,
        flush_ms: int = 200,
        backoff_cap_s: float = 5.0,
        random: Callable[[], float] = random.random,
    ) -> None:
        self._bus = bus
        self._backoff_cap_s = backoff_cap_s
        self._repository = repository
        self._consumer = consumer
        self._group = group
        self._losses = Losses(bus, repository, group=group)
        self._clock = clock
        self._flush_rows = flush_rows
        self._flush_s = flush_ms / 1000
        self._random = random
        self._places_due_ms = 0
        self._in_hand: list[Publication] = []
        self._given_up: list[Publication] = []
        self._taken_ms: int | None = None
        self._until: int | None = None
        self._hurry = asyncio.Event()
        self._advanced = asyncio.Condition()
        self.stored_up_to = 0
        self.counts = Counts()

    @property
    def lag_ms(self) -> int:
        """For how long the oldest publication in hand has been waiting to be stored; 0 when there is none."""
        return 0 if self._taken_ms is None else max(0, self._clock.wall_ms() - self._taken_ms)

    async def run(self) -> None:
        """Stores what is published, until `stop` is called and everything published before it is stored."""
        backoff = self._backoff()
        while self._until is None or self.stored_up_to < self._until:
            try:
                await self._make_places()
                await self._gather()
                await self._advance()
                backoff.reset()
            except BusUnavailable as away:
                pause_s = backoff.next_s()
                log.warning("writer waits for the bus", detail=away.detail, pause_s=pause_s)
                await asyncio.sleep(pause_s)
        await self._trying(self._losses.write_down)

    async def stop(self) -> None:
        """Lets `run` return once everything that is published by now is stored."""
        self._until = (await self._bus.head()).seq
        self._hurry.set()

    async def flush(self) -> None:
        """Returns when everything that is published by now is stored. `run` has to be running."""
        head = (await self._bus.head()).seq
        self._hurry.set()
        async with self._advanced:
            await self._advanced.wait_for(lambda: self.stored_up_to >= head)

    def _backoff(self) -> Backoff:
        return Backoff(base_s=_FIRST_PAUSE_S, cap_s=self._backoff_cap_s, random=self._random)

    async def _make_places(self) -> None:
        now_ms = self._clock.wall_ms()
        if now_ms < self._places_due_ms:
            return
        try:
            self._places_due_ms = await make_months(self._repository, now_ms=now_ms)
        except DatabaseUnavailable as away:
            # What comes meanwhile makes its own place when it is stored.
            self._places_due_ms = now_ms + _PLACES_AGAIN_MS
            log.warning("the next months have no place yet", detail=away.detail)

    async def _gather(self) -> None:
        await self._take(min(self._flush_s, _IDLE_S))
        deadline_s = self._clock.monotonic_s() + self._flush_s
        while self._in_hand and len(self._in_hand) < self._flush_rows and not self._is_hurried():
            left_s = deadline_s - self._clock.monotonic_s()
            if left_s <= 0:
                return
            # Asked a few times per batch and not at each publication: the bus is not called for every tick.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), min(left_s, self._flush_s / _LOOKS_PER_FLUSH))
            await self._take(_LOOK_S)

    def _is_hurried(self) -> bool:
        return self._until is not None or self._hurry.is_set()

    async def _take(self, wait_s: float) -> None:
        room = self._flush_rows - len(self._in_hand)
        if room > 0:
            taken = await self._bus.consume(self._group, self._consumer, limit=room, wait_s=wait_s)
            if taken and self._taken_ms is None:
                self._taken_ms = self._clock.wall_ms()
            self._in_hand += taken

    async def _advance(self) -> None:
        # It stays in hand until the bus has heard that it is kept: trouble on the way repeats, and does not lose.
        if self._in_hand:
            heard = self._heard(self._in_hand)
            # Before what comes after it is stored: a writer that dies in between leaves no hole that nobody knows of.
            await self._trying(lambda: self._losses.write_down(before=heard))
            await self._keep(heard)
            await self._trying(lambda: self._losses.give_up(self._given_up, heard))
            self._given_up = []
            await self._bus.acknowledge(self._group, self._in_hand)
        self._in_hand = []
        self._taken_ms = None
        self._hurry.clear()
        stored_up_to = await self._bus.acknowledged(self._group)
        async with self._advanced:
            self.stored_up_to = stored_up_to
            self._advanced.notify_all()

    def _heard(self, batch: Sequence[Publication]) -> list[Heard]:
        heard = []
        for publication in batch:
            try:
                word = read(publication)
            except Unreadable as unreadable:
                self.counts.unreadable += 1
                self._given_up.append(publication)
                log.warning("publication skipped", position=str(publication.position), reason=str(unreadable))
                continue
            if word is not None:
                heard.append(Heard(publication, word))
        return heard

    async def _keep(self, heard: list[Heard]) -> None:
        if not heard:
            return
        try:
            await self._trying(lambda: self._repository.keep(heard))
            self.counts.stored += len(heard)
        except Unstorable as unstorable:
            if len(heard) == 1:
                self.counts.refused += 1
                self._given_up.append(heard[0].publication)
                log.warning("publication refused", position=str(heard[0].publication.position), reason=str(unstorable))
                return
            # One that the database won't take must not keep the others out.
            for each in heard:
                await self._keep([each])

    async def _trying(self, write: Callable[[], Awaitable[None]]) -> None:
        backoff = self._backoff()
        while True:
            try:
                await write()
            except DatabaseUnavailable as away:
                waiting, pause_s = len(self._in_hand), backoff.next_s()
                log.warning("writer waits for the database", detail=away.detail, waiting=waiting, pause_s=pause_s)
                await asyncio.sleep(pause_s)
            else:
                return
