"""What a job is: how often it is due, where it waits, how long it may take, and what it does."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from cryptomarket.jobs.arguments import Arguments

LONGEST_PAUSE_S = 5.0
"""How long at most one waits to be tried again."""


class Queue(StrEnum):
    """Where a job waits for a worker. A worker takes what is high first."""

    HIGH = "high"
    DEFAULT = "default"
    LOW = "low"


@dataclass(frozen=True, slots=True)
class Job:
    """A line of the schedule. `period_s` 0 is never; periods begin with the epoch, one of a day at midnight UTC.

    One that was not begun within `expiry_s` is not begun at all. One beyond its `limit_s` has `grace_s` to say so,
    before whoever runs it ends it by force. `retries` are for what may be well the next time. Of one that must not run
    `beside_itself`, a second run that comes meanwhile is left out.
    """

    name: str
    about: str
    period_s: float
    queue: Queue
    expiry_s: float
    limit_s: float
    retries: int = 3
    grace_s: float = 10.0
    beside_itself: bool = False
    arguments: type[Arguments] = Arguments

    @property
    def end_s(self) -> float:
        """How long after its beginning nothing of a run is left, whatever it does."""
        return self.limit_s + self.grace_s

    def slot_of(self, now_ms: int) -> int:
        """The millisecond at which the period began in which this moment lies."""
        period_ms = max(1, round(self.period_s * 1000))
        return now_ms - now_ms % period_ms

    def next_after(self, now_ms: int) -> int:
        """The millisecond at which the next period begins."""
        return self.slot_of(now_ms) + max(1, round(self.period_s * 1000))

    def run_id(self, slot_ms: int) -> str:
        """The name of its run of a period: the same for everybody who keeps the time."""
        return f"{self.name}-{slot_ms}"


@dataclass(frozen=True, slots=True)
class Occasion:
    """Why a job runs now: which time it is meant for, in milliseconds since the epoch, and how often it was begun."""

    scheduled_ms: int
    attempt: int = 1


Result = Mapping[str, object]
Work = Callable[[Arguments, Occasion], Awaitable[Result]]
