"""One run of a job, from its request to its end."""

from enum import StrEnum

import msgspec


class RunState(StrEnum):
    """What became of a run. The first four may still change."""

    QUEUED = "queued"
    SENT = "sent"
    RUNNING = "running"
    RETRYING = "retrying"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    SKIPPED = "skipped"
    EXPIRED = "expired"

    @property
    def is_final(self) -> bool:
        return self not in UNDER_WAY


UNDER_WAY = (RunState.QUEUED, RunState.SENT, RunState.RUNNING, RunState.RETRYING)
LEFT = "It did not end within its time, and nobody has heard of it since."
EXPIRED = "Nobody has begun it in time."


class Cause(StrEnum):
    """Who wanted it: the schedule, or somebody by hand."""

    SCHEDULE = "schedule"
    HAND = "hand"


class Run(msgspec.Struct, frozen=True):
    """Times are milliseconds since the epoch. `arguments` and `result` are JSON. From `overdue_ms` on, one that waits
    is no longer begun, and one that runs is taken for lost.
    """

    id: str
    job: str
    cause: str
    state: str
    scheduled_ms: int
    started_ms: int | None
    finished_ms: int | None
    overdue_ms: int
    attempts: int
    arguments: str
    result: str | None
    error: str | None

    def as_of(self, now_ms: int) -> "Run":
        """What is known of it at a time: whoever ran it may have died, and can't say so any more."""
        if RunState(self.state).is_final or now_ms < self.overdue_ms:
            return self
        if self.state == RunState.RUNNING:
            return msgspec.structs.replace(
                self, state=RunState.TIMED_OUT.value, finished_ms=self.overdue_ms, error=LEFT
            )
        return msgspec.structs.replace(
            self, state=RunState.EXPIRED.value, finished_ms=self.overdue_ms, error=self.error or EXPIRED
        )
