"""The bus: one order for everything that is published, its log, and control notices beside it."""

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

import msgspec

from cryptomarket.market.position import Position
from cryptomarket.market.wire import Publication, PublicationKind


@dataclass(frozen=True, slots=True)
class Fence:
    """Proof of ownership that goes with each publication: the lease's name and its token, which only grows.

    `epoch` is the epoch that the batch was made for, None for any: what follows from what was said in another epoch
    must not be said in this one as if nothing had been between.
    """

    name: str
    token: int
    epoch: str | None = None


class Outgoing(msgspec.Struct, frozen=True, gc=False):
    """What a publisher hands in: everything of a publication but its place."""

    kind: PublicationKind
    ticker: str
    payload: bytes


class Picture(msgspec.Struct, frozen=True, gc=False):
    """What is known of one ticker at a position: its last tick, its last status, and the seq of its last publication
    of any of the three kinds. `remembered` is the payload of a former epoch's last tick, until this one's first.
    """

    tick: Publication | None = None
    remembered: bytes | None = None
    status: Publication | None = None
    last_seq: int | None = None


@dataclass(frozen=True, slots=True)
class Loss:
    """What a group will never get of one ticker, because the log had reached its hard bound: `count` ticks, statuses
    and gaps, the first at `first`, the last at `last_seq` of the same epoch. Not all that lies between was lost.

    `first_ms` and `last_ms` are the earliest and the latest time that they told (`market.wire.time_of`), None when none
    told one.
    """

    ticker: str
    first: Position
    last_seq: int
    count: int
    first_ms: int | None = None
    last_ms: int | None = None


class Standing(NamedTuple):
    """How far a group has come, and what is known of one ticker: up to which sequence everything is acknowledged,
    whether the log gave something of the ticker up that is not written down, and its picture as of `head`.
    """

    acknowledged: int
    has_losses: bool
    head: Position
    picture: Picture | None


class NoticeKind(StrEnum):
    """Control notices: outside the order, heard by every process that listens, kept nowhere."""

    REVOKED = "revoked"
    DEMAND = "demand"
    UNKNOWN_TICKER = "unknown_ticker"
    INSTRUMENTS = "instruments"


@dataclass(frozen=True, slots=True)
class Notice:
    """A control notice and its subject: a token's id, a ticker, instruments and their states as JSON."""

    kind: NoticeKind
    subject: str


class Bus(Protocol):
    """Publishing, following, replaying and consuming one totally ordered log.

    Every call raises BusUnavailable when the bus can't be reached.
    """

    @property
    def window(self) -> int:
        """How many calls of `publish` are worth having under way at once: they are carried out in the order of calling,
        and after one that was lost none is. 1 where the answer comes with the call.
        """
        ...

    async def publish(self, batch: Sequence[Outgoing], fence: Fence) -> list[Publication]:
        """Publishes in order; each takes the next sequence in one atomic step with the ticker's previous sequence,
        its latest and the log. Raises Fenced, having published nothing, when `fence` is not the newest of its name, or
        names an epoch that has ended. After BusUnavailable it is not known whether the batch was published: `pictures`
        tell.
        """
        ...

    async def publish_change(self, user_id: str, ticker: str, payload: bytes) -> Publication:
        """Publishes a change of a user's set: sequenced, unfenced, in no ticker's chain."""
        ...

    async def head(self) -> Position:
        """The position of the last publication; sequence 0 at the start of an epoch."""
        ...

    async def pictures(self, tickers: Collection[str] | None = None) -> tuple[Position, dict[str, Picture]]:
        """What is known of these tickers, or of all, as of the one position that is returned with it."""
        ...

    async def remember(self, ticker: str, payload: bytes) -> None:
        """Keeps a tick of a former epoch as the last known one, until the ticker's first tick of this epoch."""
        ...

    async def since(self, after: Position, until: int, limit: int) -> list[Publication]:
        """Publications with `after.seq` < seq <= `until`, oldest first, at most `limit`.

        Raises LogTooShort when the epoch is another one, `after` lies beyond the head, or the log no longer holds the
        first of them.
        """
        ...

    def follow(self, after: Position) -> AsyncIterator[list[Publication]]:
        """Everything after the position as it is published, in batches: what came while the last batch was handled
        comes in the next. Raises LogTooShort as `since` does: at once, or later when the follower has fallen behind
        the log or the epoch has ended.
        """
        ...

    async def consume(self, group: str, consumer: str, *, limit: int, wait_s: float) -> list[Publication]:
        """The next publications for this group, at most `limit`; waits up to `wait_s` for the first. What was handed
        out and not acknowledged is handed out again when its consumer comes back, or is given up for dead. A group
        begins with the oldest publication of the log.
        """
        ...

    async def acknowledge(self, group: str, batch: Sequence[Publication]) -> None:
        """Says that these are kept for good. The log may be trimmed past them. Those of another epoch are passed over:
        a batch may outlive its epoch in a consumer's hands.
        """
        ...

    async def acknowledged(self, group: str) -> int:
        """The sequence up to which the group has acknowledged everything that it could get: what the log gave up at
        its hard bound does not hold it back, and is counted by `given_up`. 0 for a group that nobody has joined.
        """
        ...

    async def given_up(self, group: str) -> int:
        """How many publications of this epoch the group will never get (again), because the log had reached its hard
        bound. Grows when it happens for what was not handed out yet, and at redelivery for what was.
        """
        ...

    async def losses(self, group: str) -> list[Loss]:
        """What is counted by `given_up`, by ticker; set changes aside. Each ticker's losses are one, from the first to
        the last, until they are `forget`-ten. Bound: one entry per ticker.
        """
        ...

    async def forget(self, group: str, losses: Sequence[Loss]) -> None:
        """Says that these losses are written down. One that has grown since it was told stays, whole."""
        ...

    async def standing(self, group: str, ticker: str) -> Standing:
        """What `acknowledged`, `losses` and `pictures` tell, by one question and as of one moment."""
        ...

    async def notify(self, notice: Notice) -> None:
        """Tells every listening process, this one included."""
        ...

    def notices(self) -> AsyncIterator[Notice]:
        """Control notices from now on. Listening begins when this is called."""
        ...

    async def ping(self) -> None:
        """Returns when the bus answers."""
        ...
