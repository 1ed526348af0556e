"""A recording played with its own timing. Number tokens stay as they were recorded.

One JSON object per line: a notification as Deribit sent it, or ``{"at_us": …, "frame": {…}}`` / ``{"sent_us": …,
"frame": "…"}`` with the time of arrival. Without such a time the notification's own ``timestamp`` (ms) gives the pace.
Lines that are not notifications (replies, heartbeats) are passed over.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

_TIMESTAMP = re.compile(rb'("timestamp":)([0-9]+)')


_ABSENT = msgspec.Raw(b"")


class BadRecording(ValueError):
    """A recording cannot be read. The message names the line."""


class _Params(msgspec.Struct):
    channel: str = ""
    data: msgspec.Raw = _ABSENT


class _Frame(msgspec.Struct):
    method: str = ""
    params: _Params | None = None


class _Line(msgspec.Struct):
    method: str = ""
    frame: msgspec.Raw = _ABSENT
    at_us: int | None = None
    sent_us: int | None = None


class _Stamp(msgspec.Struct):
    timestamp: int | None = None


@dataclass(frozen=True, slots=True)
class Played:
    """One notification: when, after the beginning, on which channel, with which ``data`` token."""

    offset_us: int
    channel: str
    data: bytes


class Playback:
    """Hands out what is due.

    Args:
        notifications: in order of time.
        speed: 2.0 is twice as fast.
        loop: begin again after the end.
        restamp: shift ``timestamp`` values so that they lie in the present.
    """

    def __init__(self, notifications: list[Played], *, speed: float, loop: bool, restamp: bool, now_us: int) -> None:
        self._notifications = notifications
        self._speed, self._loop, self._restamp = speed, loop, restamp
        self._began_us = now_us
        self._place = 0
        self.channels = frozenset(played.channel for played in notifications)
        self.latest: dict[str, bytes] = {}

    def due_us(self) -> int | None:
        """When the next notification is due; None after the end."""
        if self._place >= len(self._notifications):
            return None
        return self._began_us + int(self._notifications[self._place].offset_us / self._speed)

    def advance(self, now_us: int) -> list[Played]:
        """Everything that became due."""
        found: list[Played] = []
        while (due_us := self.due_us()) is not None and due_us <= now_us:
            played = self._notifications[self._place]
            self._place += 1
            data = self._stamped(played, due_us) if self._restamp else played.data
            self.latest[played.channel] = data
            found.append(Played(played.offset_us, played.channel, data))
            if self._loop and self._place == len(self._notifications):
                # A pause of a second keeps a recording of a single moment from spinning.
                self._place, self._began_us = 0, due_us + 1_000_000
        return found

    def _stamped(self, played: Played, due_us: int) -> bytes:
        own = _own_timestamp_ms(played.data)
        shift_ms = 0 if own is None else due_us // 1000 - own
        return _TIMESTAMP.sub(lambda found: found[1] + str(int(found[2]) + shift_ms).encode(), played.data)


def read_recording(path: Path) -> list[Played]:
    """The notifications of a file, in order of time, offsets from the first.

    Raises:
        BadRecording: a line is not JSON, or there is no notification at all.
    """
    found = sorted(_lines(path), key=lambda pair: pair[0])
    if not found:
        message = f"{path.name} holds no notification"
        raise BadRecording(message)
    began_us = found[0][0]
    return [Played(time_us - began_us, channel, data) for time_us, (channel, data) in found]


def _lines(path: Path) -> Iterator[tuple[int, tuple[str, bytes]]]:
    last_us = 0
    for number, text in enumerate(path.read_bytes().splitlines(), 1):
        if not text.strip():
            continue
        try:
            line = msgspec.json.decode(text, type=_Line)
            arrived_us = line.at_us or line.sent_us
            frame = msgspec.json.decode(_unwrapped(line, text), type=_Frame)
        except msgspec.MsgspecError as error:
            message = f"{path.name} line {number}: {error}"
            raise BadRecording(message) from error
        if frame.method != "subscription" or frame.params is None or not frame.params.channel:
            continue
        data = bytes(frame.params.data)
        own_ms = _own_timestamp_ms(data)
        last_us = arrived_us or (last_us if own_ms is None else own_ms * 1000)
        yield last_us, (frame.params.channel, data)


def _unwrapped(line: _Line, text: bytes) -> bytes:
    inner = bytes(line.frame)
    if not inner:
        return text
    return msgspec.json.decode(inner, type=str).encode() if inner.startswith(b'"') else inner


def _own_timestamp_ms(data: bytes) -> int | None:
    if data.startswith(b"["):
        stamps = msgspec.json.decode(data, type=list[_Stamp])
        return stamps[0].timestamp if stamps else None
    return msgspec.json.decode(data, type=_Stamp).timestamp
