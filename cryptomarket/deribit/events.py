"""What the pool tells its listener, and what it says of its slots when asked."""

from dataclasses import dataclass
from enum import StrEnum

import msgspec


class Heard(msgspec.Struct, frozen=True, gc=False):
    """News on a channel, read at `received_us` (microseconds since the epoch). `data` is JSON as sent.

    `channel` is spelled as it was asked for: news that a channel of 100 ms brings in the place of a raw one, which
    was refused for want of a login, is told under the raw channel's name.
    """

    slot: int
    channel: str
    data: msgspec.Raw
    received_us: int


class Held(msgspec.Struct, frozen=True):
    """The exchange has accepted these channels. News on them may have come before."""

    slot: int
    channels: tuple[str, ...]


class Refused(msgspec.Struct, frozen=True):
    """The exchange left these channels out of what it accepted: there is no such ticker."""

    slot: int
    channels: tuple[str, ...]


class Denied(msgspec.Struct, frozen=True):
    """The exchange does not give these channels now, and has not said that they don't exist. They are asked for again,
    at longer and longer intervals.
    """

    slot: int
    channels: tuple[str, ...]
    code: int


class Lost(msgspec.Struct, frozen=True):
    """A session that was ready has ended, and with it what it held. It is being restored, or was given up."""

    slot: int
    channels: tuple[str, ...]
    reason: str


class Garbled(msgspec.Struct, frozen=True):
    """News came that can't be read, on one of these channels: on the one that it named, else on any of the session."""

    slot: int
    channels: tuple[str, ...]
    reason: str


class Ready(msgspec.Struct, frozen=True):
    """A session is up: introduced, its heartbeat set, logged in when there is a key."""

    slot: int


PoolEvent = Heard | Held | Refused | Denied | Lost | Garbled | Ready


class Purpose(StrEnum):
    """What a slot is for. Data slots carry channels and never a user's login."""

    DATA = "data"
    LOGIN = "login"


class SessionState(StrEnum):
    """Where a session is on its way."""

    CLOSED = "closed"
    CONNECTING = "connecting"
    OPENING = "opening"
    READY = "ready"
    LEAVING = "leaving"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class SlotState:
    """One slot as it is now. `since_ms` is in milliseconds since the epoch; `channels` is how many it holds; `credits`
    is what the process has left for ordinary requests, which all its slots share.
    """

    slot: int
    purpose: Purpose
    state: SessionState
    since_ms: int
    channels: int
    credits: int
