"""What the routes of this room work with, and how a run is asked for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import uuid4

import msgspec

from cryptomarket.clock import Clock
from cryptomarket.errors import Conflict, NotFound
from cryptomarket.jobs.arguments import Arguments, read_arguments, written
from cryptomarket.jobs.job import Job
from cryptomarket.jobs.repository import RunRepository
from cryptomarket.jobs.runs import Cause, Run, RunState

# How long at least a run waits for somebody who begins it; of a job whose expiry is longer, it waits as long as that.
PATIENCE_MS = 60_000


def nothing() -> None:
    """Nobody of this process waits for what is asked for: who does looks by himself."""


def anything(_arguments: Arguments, _now_ms: int) -> None:
    """Whatever lies within the bounds of each argument may be asked for."""


@dataclass(frozen=True, slots=True)
class JobsParts:
    """In `request.state.jobs`. `on_asked` is told that a run was asked for; `check` raises Impossible for arguments
    that can't be, all together, at that time in milliseconds, and Malformed for those that it can't read.
    """

    jobs: Mapping[str, Job]
    runs: RunRepository
    clock: Clock
    new_id: Callable[[], str] = lambda: str(uuid4())
    on_asked: Callable[[], None] = nothing
    check: Callable[[Arguments, int], None] = anything

    def known(self, name: str, *, field: str) -> Job:
        """The job of that name, which was said in `field`. Raises NotFound."""
        job = self.jobs.get(name)
        if job is None:
            raise NotFound(f"There is no job {name[:64]!r}; there are {', '.join(sorted(self.jobs))}.", field=field)
        return job

    async def ask_for(self, name: str, given: Mapping[str, object]) -> Run:
        """Adds a run of a job, which whoever runs jobs finds within a second.

        Raises NotFound for no job of ours, Impossible for arguments that it does not take, Malformed for a time that is
        none, Conflict while it is running and must not run beside itself, and DatabaseUnavailable.
        """
        job = self.known(name, field="task")
        arguments = read_arguments(job.arguments, given)
        now_ms = self.clock.wall_ms()
        self.check(arguments, now_ms)
        run = Run(
            id=self.new_id(),
            job=job.name,
            cause=Cause.HAND.value,
            state=RunState.QUEUED.value,
            scheduled_ms=now_ms,
            started_ms=None,
            finished_ms=None,
            overdue_ms=now_ms + max(PATIENCE_MS, round(job.expiry_s * 1000)),
            attempts=0,
            arguments=msgspec.json.encode(written(arguments)).decode(),
            result=None,
            error=None,
        )
        under_way = await self.runs.request(run, beside_itself=job.beside_itself)
        if under_way is not None:
            raise Conflict(f"The job {name} is under way already, as {under_way.id}, and must not run beside itself.")
        self.on_asked()
        return run

    async def one(self, run_id: str) -> Run:
        """A run as of now. Raises NotFound and DatabaseUnavailable."""
        found = await self.runs.one(run_id)
        if found is None:
            raise NotFound("There is no such run, or it was long ago.", field="task")
        return found.as_of(self.clock.wall_ms())
