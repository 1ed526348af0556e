"""Celery's worker: takes what is due from the queues and runs it, one job at a time, in a process that may be killed.

    python -m cryptomarket.worker [queue …]

Without names it takes from all queues, what is `high` first.
"""

import gc
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

import msgspec
import structlog
import typer
from celery import Celery, signals
from kombu.exceptions import OperationalError
from kombu.transport import redis, virtual

from cryptomarket.broker import alive_file, broker_app, kept_s, log_as_we_do
from cryptomarket.clock import Clock
from cryptomarket.errors import BusUnavailable, StartRefused, Unavailable
from cryptomarket.jobs.arguments import read_arguments
from cryptomarket.jobs.job import Job, Queue
from cryptomarket.jobs.runs import Cause, Run, RunState
from cryptomarket.roles.timetable import jobs_in
from cryptomarket.settings import Settings, load_settings

if TYPE_CHECKING:
    from cryptomarket.household import Household
    from cryptomarket.jobs.runner import Outcome

log = structlog.get_logger(__name__)

# Loaded by the processes that do the work, and by none that only starts them: half of what both would hold.
HOUSEHOLD = "cryptomarket.household"

_ENDED_BADLY = (RunState.FAILED, RunState.TIMED_OUT)


class Asking(Protocol):
    """What a message says of itself (docs.celeryq.dev/en/stable/userguide/tasks.html#task-request)."""

    id: str
    delivery_info: dict[str, object] | None


class Asked(Protocol):
    """A task that was asked for, as Celery hands it to its function."""

    request: Asking

    def retry(self, *, countdown: float) -> Exception:
        """Sends it again, and raises what says so."""
        ...


class TellingMessage(virtual.Message):
    """A message that could not be acknowledged, or given back, says so to its consumer, which then connects anew.

    Celery would only log it. The message then counts as being worked on for ever, and with one message at a time
    nothing else is ever taken: what a Redis that is silent for longer than REDIS_TIMEOUT_S does to a worker.
    """

    def ack_log_error(
        self, logger: logging.Logger, errors: tuple[type[Exception], ...], multiple: bool = False
    ) -> None:
        """Acknowledges. Raises BrokenPipeError, by which Celery knows that its connection is of no more use."""
        with _loss_told(logger, errors, "acknowledged"):
            self.ack(multiple=multiple)  # type: ignore[no-untyped-call]

    def reject_log_error(
        self, logger: logging.Logger, errors: tuple[type[Exception], ...], requeue: bool = False
    ) -> None:
        """Gives it back. Raises BrokenPipeError, as above."""
        with _loss_told(logger, errors, "given back"):
            self.reject(requeue=requeue)  # type: ignore[no-untyped-call]


@contextmanager
def _loss_told(logger: logging.Logger, errors: tuple[type[Exception], ...], done: str) -> Iterator[None]:
    try:
        yield
    except errors as lost:
        logger.warning("A message could not be %s; connecting anew: %s", done, type(lost).__name__)
        raise BrokenPipeError(str(lost)) from lost


class JobFailed(Exception):
    """A run has ended badly; its record says so, and this says it to Celery and to who looks at it."""


class Worker:
    """The tasks of the schedule, on the household of this process."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.app: Celery = broker_app(settings)
        redis.Channel.Message = TellingMessage
        self.jobs = jobs_in(settings)
        self.now_ms = Clock.system().wall_ms
        self._household: Household | None = None
        self._keep: list[Callable[..., None]] = [log_as_we_do(settings)]
        for job in self.jobs.values():
            self._add(job)
        for signal, heard in (
            (signals.worker_process_init, self._begin),
            (signals.worker_process_shutdown, self._end),
            (signals.heartbeat_sent, self._live),
        ):
            signal.connect(heard, weak=False)

    def _add(self, job: Job) -> None:
        def task(
            asked: Asked,
            scheduled_ms: int,
            arguments: dict[str, object] | None = None,
            by_hand: bool = False,
            said_ms: int | None = None,
        ) -> str:
            # What was asked for by hand says in its record until when it is worth beginning.
            late = said_ms is not None and self.now_ms() >= said_ms + round(job.expiry_s * 1000)
            return self._run(job, asked, scheduled_ms, arguments or {}, by_hand=by_hand, late=late)

        self.app.task(
            task,
            name=job.name,
            bind=True,
            throws=(JobFailed,),
            max_retries=None,
            soft_time_limit=job.limit_s + job.grace_s / 2,
            time_limit=job.end_s,
        )

    def _run(
        self,
        job: Job,
        asked: Asked,
        scheduled_ms: int,
        arguments: dict[str, object],
        *,
        by_hand: bool,
        late: bool,
    ) -> str:
        if self._household is None:
            raise asked.retry(countdown=self.settings.job_again_s)
        given = read_arguments(job.arguments, arguments)
        # Celery keeps these by thread.
        run_id, again = asked.request.id, bool((asked.request.delivery_info or {}).get("redelivered"))
        try:
            outcome: Outcome = self._household.run(
                lambda house: house.runner.run(
                    job,
                    run_id,
                    given,
                    scheduled_ms=scheduled_ms,
                    cause=Cause.HAND if by_hand else Cause.SCHEDULE,
                    again=again,
                    late=late,
                )
            )
        except Unavailable as away:
            log.warning("a job waits for its parts", job=job.name, run=run_id, reason=away.detail)
            raise asked.retry(countdown=self.settings.job_again_s) from None
        if outcome.retry_in_s is not None:
            raise asked.retry(countdown=outcome.retry_in_s)
        if outcome.run is None:
            return "nothing to do"
        if outcome.run.state in _ENDED_BADLY:
            raise JobFailed(outcome.run.error)
        return outcome.run.state

    def _send(self, run: Run) -> None:
        """Hands on a run that was asked for by hand."""
        job = self.jobs[run.job]
        message = {
            "scheduled_ms": run.scheduled_ms,
            "arguments": msgspec.json.decode(run.arguments),
            "by_hand": True,
        }
        try:
            self.app.tasks[job.name].apply_async(
                kwargs=message,
                task_id=run.id,
                queue=job.queue.value,
                expires=kept_s(job, self.settings.job_dead_s),
                retry=False,
            )
        except (OperationalError, OSError) as away:
            raise BusUnavailable("The queue of jobs can't be reached.") from away

    def _begin(self, **_told: object) -> None:
        self._household = import_module(HOUSEHOLD).Household(self.settings, send=self._send)
        assert self._household is not None  # noqa: S101  for the type
        self._household.start()

    def _end(self, **_told: object) -> None:
        if self._household is not None:
            self._household.stop()

    def _live(self, **_told: object) -> None:
        alive_file(self.settings, "worker").touch()

    def run(self, queues: list[str]) -> None:
        """Until it is told to stop."""
        self.settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        # What was loaded by now is shared with the processes that do the work, as long as nobody touches it.
        gc.collect()
        gc.freeze()
        names = queues or [queue.value for queue in Queue]
        self.app.worker_main(
            [
                "worker",
                f"--queues={','.join(names)}",
                f"--loglevel={self.settings.log_level}",
                "--without-mingle",
                "--without-gossip",
            ]
        )


def check_grounds_apart() -> None:
    """Looks at Redis and the database in a process of its own: for what that loads, see `HOUSEHOLD`. Exits, its
    sentence said, when they can't be worked with: Celery would ask a Redis that lets it not in for ever, and a worker
    whose tasks all wait looks alive.
    """
    looked = subprocess.run((sys.executable, "-m", "cryptomarket.grounds"), check=False)
    if looked.returncode != 0:
        sys.exit(2)


def main() -> None:
    """Runs it until it is told to stop."""
    if {"-h", "--help"} & set(sys.argv[1:]):
        typer.echo(__doc__)
        return
    try:
        worker = Worker(load_settings())
    except StartRefused as refusal:
        typer.echo(f"cryptomarket: {refusal}", err=True)
        sys.exit(2)
    unknown = set(sys.argv[1:]) - set(Queue)
    if unknown:
        typer.echo(
            f"cryptomarket: There is no queue {', '.join(sorted(unknown))}; there are {', '.join(Queue)}.", err=True
        )
        sys.exit(2)
    check_grounds_apart()
    worker.run(sys.argv[1:])


if __name__ == "__main__":
    main()
