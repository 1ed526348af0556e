"""The one place where a job's function is called: within its limit, noted from beginning to end, whatever it raises."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import msgspec
import structlog

from cryptomarket.backoff import Backoff
from cryptomarket.backplane.lease import Lease, Leases
from cryptomarket.clock import Clock
from cryptomarket.errors import BusUnavailable, CryptomarketError, DatabaseUnavailable, ExchangeRetryable, Unavailable
from cryptomarket.jobs.arguments import Arguments, written
from cryptomarket.jobs.job import LONGEST_PAUSE_S, Job, Occasion, Work
from cryptomarket.jobs.repository import RunRepository
from cryptomarket.jobs.results import result_text
from cryptomarket.jobs.runs import Cause, Run, RunState
from cryptomarket.telemetry import redact_text

log = structlog.get_logger(__name__)

FIRST_PAUSE_S = 1.0
# A run whose process dies each time must not be begun for ever.
DEATHS = 2
MAX_TEXT = 2000
_RETRYABLE = (Unavailable, ExchangeRetryable)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it ended: with a run, or None where there was nothing to do; and when it should be tried again, if so."""

    run: Run | None
    retry_in_s: float | None = None


async def caught(doing: Awaitable[T], what: str, **where: object) -> T | Exception:
    """The job runner's door: what was raised comes back as a value, its traceback told in the log under `what`. So
    nothing that a job, its record or its request raises ends who keeps the time.
    """
    try:
        return await doing
    except Exception as error:
        log.exception(what, **where)
        return error


class Runner:
    """Runs jobs by name. `kept` runs of each are remembered. `random` gives numbers in [0, 1)."""

    def __init__(
        self,
        works: Mapping[str, Work],
        runs: RunRepository,
        leases: Leases,
        *,
        clock: Clock,
        kept: int,
        random: Callable[[], float],
    ) -> None:
        self._works = works
        self._runs = runs
        self._leases = leases
        self._clock = clock
        self._kept = kept
        self._random = random

    async def run(
        self,
        job: Job,
        run_id: str,
        arguments: Arguments,
        *,
        scheduled_ms: int,
        cause: Cause = Cause.SCHEDULE,
        again: bool = False,
        late: bool = False,
    ) -> Outcome:
        """One attempt, which raises nothing. A database that is away does not keep a job from running, only its run
        from being noted. `again` says that whoever had begun it has died; of what is `late`, only such a run, or one
        that waits to be tried again, is still worth beginning.
        """
        now_ms = self._clock.wall_ms()
        wanted = Run(
            id=run_id,
            job=job.name,
            cause=cause.value,
            state=RunState.RUNNING.value,
            scheduled_ms=scheduled_ms,
            started_ms=now_ms,
            finished_ms=None,
            overdue_ms=now_ms + round(job.end_s * 1000),
            attempts=1,
            arguments=msgspec.json.encode(written(arguments)).decode(),
            result=None,
            error=None,
        )
        begun = await caught(
            self._begun(wanted, again=again, late=late), "a run could not be begun", job=job.name, run=run_id
        )
        if begun is None:
            return Outcome(None)
        if isinstance(begun, Exception):
            return await self._end(job, wanted, RunState.FAILED, error=_told(begun))
        if begun.attempts > job.retries + 1 + DEATHS:
            return await self._end(
                job, begun, RunState.FAILED, error=f"It was begun {begun.attempts} times without an end."
            )
        outcome = await caught(self._alone(job, begun, arguments), "a job has failed", job=job.name, run=run_id)
        if isinstance(outcome, Exception):
            return await self._end(job, begun, RunState.FAILED, error=_told(outcome))
        return outcome

    async def give_up(self, run: Run, error: Exception) -> None:
        """Notes that a run that was asked for can't be begun, and why."""
        now_ms = self._clock.wall_ms()
        log.warning("a run that was asked for can't be begun", job=run.job, run=run.id, reason=_told(error))
        await self._note(
            msgspec.structs.replace(run, state=RunState.FAILED.value, finished_ms=now_ms, error=_told(error))
        )

    async def _begun(self, wanted: Run, *, again: bool, late: bool) -> Run | None:
        try:
            return await self._runs.begin(wanted, again=again, late=late and not again)
        except DatabaseUnavailable as away:
            log.warning("the beginning of a run could not be noted", job=wanted.job, run=wanted.id, reason=away.detail)
            return None if late and not again else wanted

    async def _alone(self, job: Job, run: Run, arguments: Arguments) -> Outcome:
        if job.beside_itself:
            return await self._attempt(job, run, arguments)
        try:
            lease = await self._leases.acquire(f"job:{job.name}", run.id, life_s=job.end_s)
        except BusUnavailable as away:
            return await self._again_or_failed(job, run, away)
        if lease is None:
            return await self._end(job, run, RunState.SKIPPED, error="It was running already.")
        try:
            return await self._attempt(job, run, arguments)
        finally:
            await asyncio.shield(self._give_back(lease))

    async def _give_back(self, lease: Lease) -> None:
        try:
            await self._leases.release(lease)
        except BusUnavailable:
            return  # it lapses by itself

    async def _attempt(self, job: Job, run: Run, arguments: Arguments) -> Outcome:
        occasion = Occasion(run.scheduled_ms, run.attempts)
        limit = asyncio.timeout(job.limit_s)
        try:
            async with limit:
                result = await self._works[job.name](arguments, occasion)
        except _RETRYABLE as failure:
            return await self._again_or_failed(job, run, failure)
        except TimeoutError:
            if not limit.expired():
                raise
            return await self._end(job, run, RunState.TIMED_OUT, error=f"It took longer than {job.limit_s:g} s.")
        return await self._end(job, run, RunState.SUCCEEDED, result=result_text(result))

    async def _again_or_failed(self, job: Job, run: Run, failure: CryptomarketError) -> Outcome:
        if run.attempts > job.retries:
            log.warning("a job was given up", job=job.name, run=run.id, attempts=run.attempts, reason=_told(failure))
            return await self._end(job, run, RunState.FAILED, error=_told(failure))
        backoff = Backoff(base_s=FIRST_PAUSE_S * 2 ** (run.attempts - 1), cap_s=LONGEST_PAUSE_S, random=self._random)
        pause_s = backoff.next_s()
        waiting_until_ms = self._clock.wall_ms() + round((pause_s + job.expiry_s) * 1000)
        noted = msgspec.structs.replace(
            run, state=RunState.RETRYING.value, error=_told(failure), overdue_ms=waiting_until_ms
        )
        log.info("a job is tried again", job=job.name, run=run.id, pause_s=round(pause_s, 3), reason=_told(failure))
        await self._note(noted)
        return Outcome(noted, retry_in_s=pause_s)

    async def _end(
        self, job: Job, run: Run, state: RunState, *, result: str | None = None, error: str | None = None
    ) -> Outcome:
        now_ms = self._clock.wall_ms()
        ended = msgspec.structs.replace(run, state=state.value, finished_ms=now_ms, result=result, error=error)
        tell = log.info if state in {RunState.SUCCEEDED, RunState.SKIPPED} else log.warning
        took_s = (now_ms - (run.started_ms or now_ms)) / 1000
        tell("a job has ended", job=job.name, run=run.id, state=state.value, took_s=took_s, error=error)
        await self._note(ended)
        return Outcome(ended)

    async def _note(self, run: Run) -> None:
        # Also when this process is told to stop meanwhile: what was done is known to be done.
        writing = caught(self._write(run), "what became of a run could not be noted", job=run.job, run=run.id)
        await asyncio.shield(writing)

    async def _write(self, run: Run) -> None:
        try:
            await self._runs.note(run)
            await self._runs.tidy(run.job, now_ms=self._clock.wall_ms(), kept=self._kept)
        except DatabaseUnavailable as away:
            log.warning("what became of a run could not be noted", job=run.job, run=run.id, reason=away.detail)


def _told(error: BaseException) -> str:
    """An error as it is kept and shown: its kind and its sentence, without anything that looks like a secret."""
    return redact_text(f"{type(error).__name__}: {error}")[:MAX_TEXT]
