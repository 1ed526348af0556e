"""Counts of what happened, and on request a bounded log of what was sent."""

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

# Lists of all instruments would fill the memory, and nobody compares them.
KEPT_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Sent:
    """One notification that left, after faults had their way with it."""

    number: int
    sent_us: int
    channel: str
    connections: tuple[int, ...]
    frame: bytes


@dataclass(frozen=True, slots=True)
class Answered:
    """One request that was granted, and its reply as it left."""

    method: str
    params: Mapping[str, Any]
    frame: bytes


class Journal:
    """Counters that tests read through ``/simulator/state``. The logs hold the newest entries only."""

    def __init__(self, *, recording: bool, limit: int) -> None:
        self.recording = recording
        self.requests: Counter[str] = Counter()
        self.errors: Counter[int] = Counter()
        self.channels_opened: Counter[str] = Counter()
        self.closes: Counter[str] = Counter()
        self.logins = self.logins_refused = 0
        self.subscribe_calls = self.unsubscribe_calls = 0
        self.connections_opened = self.connections_refused = 0
        self.frames = self.notifications = 0
        self._sent: deque[Sent] = deque(maxlen=limit)
        self._answered: deque[Answered] = deque(maxlen=limit)
        self._numbers = 0

    def note(self, channel: str, connections: Sequence[int], frame: bytes, now_us: int) -> None:
        """A notification left for some connections."""
        self.notifications += 1
        self.frames += len(connections)
        if self.recording:
            self._numbers += 1
            self._sent.append(Sent(self._numbers, now_us, channel, tuple(connections), frame))

    def note_answer(self, method: str, params: Mapping[str, Any], frame: bytes) -> None:
        """A request was granted."""
        if self.recording and len(frame) <= KEPT_BYTES:
            self._answered.append(Answered(method, params, frame))

    def clear(self) -> None:
        """Forgets the logs, not the counters."""
        self._sent.clear()
        self._answered.clear()

    def answered(self, method: str) -> list[Answered]:
        """The replies to a method, in order."""
        return [entry for entry in self._answered if entry.method == method]

    def sent(self, channel: str | None, connection: int | None, after: int) -> bytes:
        """The log as JSON: ``{"dropped": n, "sent": [{number, sent_us, channel, connections, frame}]}``."""
        entries = [
            {
                "number": entry.number,
                "sent_us": entry.sent_us,
                "channel": entry.channel,
                "connections": entry.connections,
                "frame": entry.frame.decode(errors="replace"),
            }
            for entry in self._sent
            if entry.number > after
            and (channel is None or entry.channel == channel)
            and (connection is None or connection in entry.connections)
        ]
        dropped = self._sent[0].number - 1 if self._sent else self._numbers
        return msgspec.json.encode({"dropped": dropped, "sent": entries})
