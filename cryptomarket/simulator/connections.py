"""The exchange's side of one socket: who is on it, what it follows, and its clocks."""

from dataclasses import dataclass, field
from typing import Final

from cryptomarket.simulator.accounts import Grant
from cryptomarket.simulator.options import SimulatorOptions

TEST_REQUEST: Final = b'{"params":{"type":"test_request"},"method":"heartbeat","jsonrpc":"2.0"}'
HEARTBEAT: Final = b'{"params":{"type":"heartbeat"},"method":"heartbeat","jsonrpc":"2.0"}'
HEARTBEAT_CLOSE: Final = (4000, "heartbeat close")


@dataclass(slots=True)
class Connection:
    """One WebSocket connection."""

    id: int
    address: str
    opened_us: int
    options: SimulatorOptions
    grant: Grant | None = None
    channels: set[str] = field(default_factory=set)
    heard_us: int = 0
    spoke_us: int = 0
    frames_sent: int = 0
    heartbeat_s: float | None = None
    beat_us: int | None = None
    asked_us: int | None = None
    client: str = ""
    gone: bool = False

    @property
    def client_id(self) -> str:
        """The client id of the login on this socket; empty before one."""
        return self.grant.account.client_id if self.grant else ""

    def set_heartbeat(self, interval_s: float, now_us: int) -> None:
        """Starts heartbeats. The first test_request came 12.0 s after an interval of 10 was set (wire)."""
        self.heartbeat_s = interval_s
        self.asked_us = None
        self.beat_us = now_us + self._scaled(interval_s + self.options.heartbeat_first_extra_s)

    def disable_heartbeat(self) -> None:
        self.heartbeat_s = self.beat_us = self.asked_us = None

    def answer_test(self) -> None:
        """The client sent ``public/test``."""
        self.asked_us = None

    def due_us(self) -> int | None:
        """When one of its clocks runs out; None when none is running."""
        if self.heartbeat_s is None:
            if self.channels:
                return None
            return max(self.heard_us, self.opened_us) + int(self.options.idle_drop_s * 1e6)
        answer_by_us = None if self.asked_us is None else self.asked_us + self._scaled(self.options.heartbeat_answer_s)
        times = [time_us for time_us in (self.beat_us, answer_by_us) if time_us is not None]
        return min(times, default=None)

    def overdue(self, now_us: int) -> bool:
        """Whether a test_request went unanswered too long."""
        return self.asked_us is not None and now_us >= self.asked_us + self._scaled(self.options.heartbeat_answer_s)

    def beat(self, now_us: int) -> list[bytes]:
        """The frames of a heartbeat that is due. ``heartbeat`` comes only on a socket that was idle since the last."""
        if self.heartbeat_s is None or self.beat_us is None or now_us < self.beat_us:
            return []
        before_us = self.beat_us - self._scaled(self.heartbeat_s)
        idle = self.spoke_us <= before_us
        self.asked_us = now_us if self.asked_us is None else self.asked_us
        self.beat_us = now_us + self._scaled(self.heartbeat_s + self.options.heartbeat_next_extra_s)
        return [HEARTBEAT, TEST_REQUEST] if idle else [TEST_REQUEST]

    def _scaled(self, time_s: float) -> int:
        return int(time_s * self.options.heartbeat_scale * 1e6)
