"""Jobs that do as a test says, on a real database, with a clock that stands where it is put."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from cryptomarket.backplane.memory import MemoryLeases
from cryptomarket.clock import Clock
from cryptomarket.db import Database
from cryptomarket.errors import Impossible
from cryptomarket.jobs.arguments import Arguments, OfTickers, Removing
from cryptomarket.jobs.job import Job, Occasion, Queue, Result
from cryptomarket.jobs.parts import JobsParts
from cryptomarket.jobs.repository import RunRepository
from cryptomarket.jobs.runner import Runner
from cryptomarket.jobs.runs import Run, RunState

NOW_MS = 1_790_165_100_000
ALONE = Job("alone", "Runs alone.", 60, Queue.DEFAULT, expiry_s=30, limit_s=5, arguments=Removing)
BESIDE = Job("beside", "Runs beside itself.", 60, Queue.HIGH, 30, 5, beside_itself=True, arguments=OfTickers)


@dataclass
class World:
    """`does` is what each job does; `seen` is what it was told; `chance` is what a back-off is drawn with."""

    database: Database
    now_ms: int = NOW_MS
    does: Callable[[Arguments, Occasion], Awaitable[Result]] | None = None
    seen: list[tuple[Arguments, Occasion]] = field(default_factory=list)
    kept: int = 100
    chance: float = 0.5

    def __post_init__(self) -> None:
        self.clock = Clock(time.monotonic, lambda: self.now_ms * 1000)
        self.runs = RunRepository(self.database)
        self.leases = MemoryLeases(time.monotonic)
        self.jobs = {job.name: job for job in (ALONE, BESIDE)}
        self.asked = 0

    async def work(self, arguments: Arguments, occasion: Occasion) -> Result:
        self.seen.append((arguments, occasion))
        return {"done": 1} if self.does is None else await self.does(arguments, occasion)

    @property
    def runner(self) -> Runner:
        works = dict.fromkeys(self.jobs, self.work)
        return Runner(works, self.runs, self.leases, clock=self.clock, kept=self.kept, random=lambda: self.chance)

    @property
    def parts(self) -> JobsParts:
        def asked() -> None:
            self.asked += 1

        def check(arguments: Arguments, _now_ms: int) -> None:
            if arguments == Removing(days=36_500):
                raise Impossible("days: not in this world.", field="days")

        return JobsParts(self.jobs, self.runs, self.clock, on_asked=asked, check=check)


def run_of(job: Job, *, at_ms: int = NOW_MS, state: RunState = RunState.RUNNING, **more: object) -> Run:
    """A run, as it might be noted."""
    values: dict[str, object] = {
        "id": job.run_id(at_ms), "job": job.name, "cause": "schedule", "state": state.value, "scheduled_ms": at_ms,
        "started_ms": at_ms, "finished_ms": None, "overdue_ms": at_ms + 15_000, "attempts": 1, "arguments": "{}",
        "result": None, "error": None, **more,
    }  # fmt: skip
    return Run(**values)  # type: ignore[arg-type]
