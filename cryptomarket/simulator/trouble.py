"""What scripted faults do to notifications on their way out."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from cryptomarket.simulator.connections import Connection
from cryptomarket.simulator.faults import Faults, Running, spoil_type
from cryptomarket.simulator.outgoing import Outgoing, Send, SendBytes

_BROKEN_FRAME: Final = b"\x8b\x00"
"""A WebSocket frame with a reserved opcode (RFC 6455, 5.2)."""
_TIMESTAMP: Final = re.compile(rb'"timestamp":([0-9]+)')


class Trouble:
    """Applies silence, duplication, reordering and malformation to one notification after another."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._held: dict[tuple[int, str], tuple[tuple[int, ...], bytes]] = {}

    def apply(
        self, channel: str, frame: bytes, ids: Sequence[int], connections: Mapping[int, Connection]
    ) -> list[Outgoing]:
        """What leaves instead of the notification, in order."""
        left = list(ids)
        extra: list[Outgoing] = []
        for running in self._faults.on("silence", "malformed", "reorder", "duplicate"):
            hit = [number for number in left if running.hits_connection(number, connections[number].client_id)]
            if not hit or not running.hits_channel(channel):
                continue
            running.applied += 1
            if running.fault.kind != "duplicate":
                left = [number for number in left if number not in hit]
            extra += self._instead(running, channel, frame, hit)
        return [Send(left, frame), *extra] if left else extra

    def release(self, running: Running) -> list[tuple[str, Send]]:
        """Frames that a reordering still held when it ended, with their channels; they leave late, but they leave."""
        keys = [key for key in self._held if key[0] == running.id]
        return [(key[1], Send(*self._held.pop(key))) for key in keys]

    def _instead(self, running: Running, channel: str, frame: bytes, hit: list[int]) -> list[Outgoing]:
        match running.fault.kind:
            case "duplicate":
                return [Send(hit, frame)]
            case "reorder":
                held = self._held.pop((running.id, channel), None)
                if held is None:
                    self._held[running.id, channel] = (tuple(hit), frame)
                    return []
                return [Send(hit, frame), Send(*held)]
            case "malformed":
                return _malformed(running.fault.shape, frame, hit)
        return []


def shift_timestamps(frame: bytes, skew_us: int) -> bytes:
    """The frame as an exchange with a wrong clock would stamp it."""
    skew_ms = skew_us // 1000
    return _TIMESTAMP.sub(lambda found: b'"timestamp":' + str(int(found[1]) + skew_ms).encode(), frame)


def _malformed(shape: str, frame: bytes, hit: list[int]) -> list[Outgoing]:
    match shape:
        case "frame":
            return [SendBytes(number, _BROKEN_FRAME, breaks_protocol=True) for number in hit]
        case "binary":
            return [SendBytes(number, frame[::-1], breaks_protocol=False) for number in hit]
        case "type":
            return [Send(hit, spoil_type(frame))]
    return [Send(hit, frame[: len(frame) * 2 // 3])]
