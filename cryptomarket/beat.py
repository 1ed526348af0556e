"""Celery's beat: says when a job is due, once for each period however many beats there are.

    python -m cryptomarket.beat

Of several beats the one that holds redbeat's lock speaks; another takes over BEAT_DEAD_S after it has died. A run is
named for its job and period, so that one that was said twice all the same is run once.
"""

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

import structlog
import typer
from redbeat.schedulers import RedBeatScheduler, RedBeatSchedulerEntry, acquire_distributed_beat_lock
from redis.exceptions import LockError, RedisError

from cryptomarket.broker import LOOK_S, alive_file, beat_app, log_as_we_do
from cryptomarket.errors import StartRefused
from cryptomarket.redis_link import check_redis
from cryptomarket.settings import load_settings

log = structlog.get_logger(__name__)


def period_start(moment: datetime, period_s: float) -> datetime:
    """When the period began in which a moment lies. Periods begin with the epoch."""
    period_ms = max(1, round(period_s * 1000))
    # A moment's microseconds make no whole float; milliseconds do.
    moment_ms = int(moment.timestamp() * 1000 + 0.5)
    return datetime.fromtimestamp((moment_ms - moment_ms % period_ms) / 1000, UTC)


class Line(RedBeatSchedulerEntry):  # type: ignore[misc]  # published without types
    """A line of the schedule. It was last due when its period began, whenever that was noticed."""

    last_run_at: datetime | None

    def __init__(self, *arguments: object, **named: object) -> None:
        super().__init__(*arguments, **named)
        if self.last_run_at is not None:
            self.last_run_at = period_start(self.last_run_at, self.period_s)

    @property
    def period_s(self) -> float:
        return float(self.schedule.run_every.total_seconds())

    def _next_instance(self, last_run_at: datetime | None = None, only_update_last_run_at: bool = False) -> "Line":
        began = period_start(last_run_at or self.default_now(), self.period_s)
        following: Line = super()._next_instance(began, only_update_last_run_at)
        return following

    __next__ = next = _next_instance


class Timekeeper(RedBeatScheduler):  # type: ignore[misc]  # published without types
    """redbeat's, which goes on when Redis was away, and names each run."""

    Entry = Line
    alive: Path | None = None
    lock: object | None

    def apply_async(self, entry: Line, producer: object = None, advance: bool = True, **named: object) -> object:
        """Says that a job is due, and only then that this was said: what could not be said is said again."""
        now = entry.default_now()
        slot_ms = round(period_start(now, entry.period_s).timestamp() * 1000)
        said_ms = round(now.timestamp() * 1000)
        entry.kwargs = {**(entry.kwargs or {}), "scheduled_ms": slot_ms, "said_ms": said_ms}
        entry.options = {**(entry.options or {}), "task_id": f"{entry.name}-{slot_ms}"}
        sent = super().apply_async(entry, producer=producer, advance=False, **named)
        if advance:
            self.reserve(entry)
        return sent

    def tick(self, *arguments: object, **named: object) -> float:
        """One look at what is due; seconds until the next one."""
        try:
            if self.lock is None:
                acquire_distributed_beat_lock(_Sender(self))
            waits_s = min(float(super().tick(*arguments, **named)), LOOK_S)
        except LockError:
            log.warning("another beat may have taken over; waiting for the lock")
            self.lock = None
            return 0.0
        except (RedisError, OSError) as away:
            log.warning("beat waits for Redis", reason=type(away).__name__)
            return LOOK_S
        if self.alive is not None:
            self.alive.touch()
        return waits_s


class _Sender:
    """What redbeat's function looks for its scheduler in."""

    def __init__(self, scheduler: Timekeeper) -> None:
        self.scheduler = scheduler


def main() -> None:
    """Runs it until it is told to stop."""
    try:
        settings = load_settings()
        app = beat_app(settings)
        asyncio.run(check_redis(settings))
    except StartRefused as refusal:
        typer.echo(f"cryptomarket: {refusal}", err=True)
        sys.exit(2)
    kept = log_as_we_do(settings)
    Timekeeper.alive = alive_file(settings, "beat")
    Timekeeper.alive.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    app.Beat(quiet=True, loglevel=settings.log_level).run()
    assert kept is not None  # noqa: S101  the signal has only looked at it


if __name__ == "__main__":
    main()
