"""What the exchange wants done with its sockets. The server obeys; tests read it."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Send:
    """A text frame for some connections; encoded once, shared by all."""

    connections: Sequence[int]
    text: bytes


@dataclass(frozen=True, slots=True)
class SendBytes:
    """Bytes that are not a text frame: a binary frame, or bytes that break the WebSocket protocol."""

    connection: int
    payload: bytes
    breaks_protocol: bool


@dataclass(frozen=True, slots=True)
class Close:
    """A closing handshake; code 0 cuts the TCP connection instead (the client sees 1006)."""

    connection: int
    code: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Stall:
    """The socket stands still, both ways, until a `Stall` with ``on`` false."""

    connection: int
    on: bool


Outgoing = Send | SendBytes | Close | Stall
