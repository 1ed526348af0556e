"""The schedule kept inside a gateway of one process: what is due is run here, and what was asked for by hand."""

import asyncio
from collections.abc import Mapping, Sequence

import msgspec
import structlog

from cryptomarket.clock import Clock
from cryptomarket.errors import DatabaseUnavailable, NotFound
from cryptomarket.jobs.arguments import Arguments, read_arguments
from cryptomarket.jobs.job import Job, Queue
from cryptomarket.jobs.repository import RunRepository
from cryptomarket.jobs.runner import Runner, caught
from cryptomarket.jobs.runs import Cause, Run

log = structlog.get_logger(__name__)

# The clock of the wall may jump: it is looked at again and again, however far away the next period is.
LOOK_S = 0.5
LEFT_BEHIND = "The process that ran it has ended."
# How many runs of each queue are under way at once; who comes later waits for its turn, within its expiry.
AT_ONCE = {Queue.HIGH: 2, Queue.DEFAULT: 2, Queue.LOW: 1}


class Clockwork:
    """Runs jobs when they are due. Bound: one run of each period of a job, and `AT_ONCE` of a queue under way; a run
    that has not got its turn within its expiry is left out, and says so.
    """

    def __init__(self, jobs: Mapping[str, Job], runner: Runner, runs: RunRepository, *, clock: Clock) -> None:
        self._jobs = jobs
        self._runner = runner
        self._runs = runs
        self._clock = clock
        self._turns = {queue: asyncio.Semaphore(count) for queue, count in AT_ONCE.items()}
        self._nudge = asyncio.Event()
        self._next_ms: dict[str, int] = {}
        self._under_way: set[str] = set()
        self._looked_s = clock.monotonic_s()

    @property
    def late_s(self) -> float:
        """How long nobody has looked at the clock."""
        return self._clock.monotonic_s() - self._looked_s

    @property
    def under_way(self) -> Sequence[str]:
        """The runs that were begun or wait for their turn."""
        return sorted(self._under_way)

    def look(self) -> None:
        """Somebody has asked for a run."""
        self._nudge.set()

    async def run(self) -> None:
        """Keeps the time for as long as it runs. Whatever a job or the record of runs raises is told in the log."""
        await caught(self._clear(), "runs of an earlier start can't be ended")
        now_ms = self._clock.wall_ms()
        self._next_ms = {job.name: job.next_after(now_ms) for job in self._jobs.values() if job.period_s > 0}
        async with asyncio.TaskGroup() as group:
            while True:
                self._looked_s = self._clock.monotonic_s()
                self._nudge.clear()
                for job, slot_ms in self._due():
                    group.create_task(self._one(job, job.run_id(slot_ms), job.arguments(), slot_ms, Cause.SCHEDULE))
                for job, run_id, arguments, asked_ms in await self._asked():
                    group.create_task(self._one(job, run_id, arguments, asked_ms, Cause.HAND))
                await self._wait()

    async def _clear(self) -> None:
        try:
            await self._runs.end_left(now_ms=self._clock.wall_ms(), error=LEFT_BEHIND)
        except DatabaseUnavailable as away:
            log.warning("runs of an earlier start can't be ended yet", reason=away.detail)

    def _due(self) -> list[tuple[Job, int]]:
        now_ms = self._clock.wall_ms()
        found = []
        for name, next_ms in self._next_ms.items():
            job = self._jobs[name]
            if next_ms > now_ms + round(job.period_s * 1000):
                # The clock was set back; the periods that it tells again have their runs.
                self._next_ms[name] = job.next_after(now_ms)
            elif next_ms <= now_ms:
                self._next_ms[name] = job.next_after(now_ms)
                found.append((job, job.slot_of(now_ms)))
        return found

    async def _asked(self) -> list[tuple[Job, str, Arguments, int]]:
        taken = await caught(self._taken(), "runs that were asked for can't be looked for")
        if isinstance(taken, Exception):
            return []
        found = []
        for run in taken:
            read = await caught(self._read(run), "a run that was asked for can't be read", job=run.job, run=run.id)
            if isinstance(read, Exception):
                await self._runner.give_up(run, read)
            else:
                found.append(read)
        return found

    async def _taken(self) -> list[Run]:
        try:
            return await self._runs.take(now_ms=self._clock.wall_ms())
        except DatabaseUnavailable:
            return []

    async def _read(self, run: Run) -> tuple[Job, str, Arguments, int]:
        job = self._jobs.get(run.job)
        if job is None:
            raise NotFound(f"There is no job {run.job!r} any more.")
        given = read_arguments(job.arguments, msgspec.json.decode(run.arguments, type=dict[str, object]))
        return job, run.id, given, run.scheduled_ms

    async def _wait(self) -> None:
        now_ms = self._clock.wall_ms()
        left_s = min([LOOK_S, *((next_ms - now_ms) / 1000 for next_ms in self._next_ms.values())])
        try:
            async with asyncio.timeout(max(0.001, left_s)):
                await self._nudge.wait()
        except TimeoutError:
            return

    async def _one(self, job: Job, run_id: str, arguments: Arguments, scheduled_ms: int, cause: Cause) -> None:
        self._under_way.add(run_id)
        try:
            while True:
                try:
                    async with asyncio.timeout(job.expiry_s):
                        await self._turns[job.queue].acquire()
                except TimeoutError:
                    log.warning("a job has not got its turn in time", job=job.name, run=run_id)
                    return
                try:
                    outcome = await self._runner.run(job, run_id, arguments, scheduled_ms=scheduled_ms, cause=cause)
                finally:
                    self._turns[job.queue].release()
                if outcome.retry_in_s is None:
                    return
                await asyncio.sleep(outcome.retry_in_s)
        finally:
            self._under_way.discard(run_id)
