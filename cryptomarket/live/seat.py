"""One stream's place in the hub of its process."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from cryptomarket.live.fanout import NO_TALLY, Tally
from cryptomarket.live.mailbox import Mailbox
from cryptomarket.live.transport import Line
from cryptomarket.market.wire import Publication, SetChange


def nothing() -> None:
    """What is called where nobody wants to be called."""


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
    was applied. `dies_with` tells whether a revocation ends it. With a `line`, events are written there, and nothing
    comes to the mailbox any more; `told_s` is when something was last written to it alone,
    `told` what went there, but for what the present audience was written.
    """

    mailbox: Mailbox
    owner_id: str
    follows_set: bool = False
    dies_with: Callable[[str], bool] = lambda subject: False
    tickers: set[str] = field(default_factory=set)
    version: int = -1
    early: list[tuple[Publication, SetChange]] = field(default_factory=list)
    seated: bool = False
    line: Line | None = None
    told_s: float = 0.0
    told: Tally = NO_TALLY
    reason: Reason | None = None
    left: asyncio.Event = field(default_factory=asyncio.Event)
    on_leave: Callable[[], None] = nothing
    is_gone: bool = False

    @property
    def is_behind(self) -> bool:
        """Whether something waits for the reader."""
        return self.mailbox.first_waiting() is not None or (self.line is not None and self.line.buffered_bytes > 0)

    def leave(self, reason: Reason) -> None:
        """Asks the stream to say why, and end. The first reason stands."""
        if self.reason is None:
            self.reason = reason
            self._ring()
            self.on_leave()

    def go(self) -> None:
        """The reader is gone: nobody is there to be told."""
        self.is_gone = True
        self._ring()

    def _ring(self) -> None:
        self.left.set()
        self.mailbox.ready.set()
        self.mailbox.urgent.set()
