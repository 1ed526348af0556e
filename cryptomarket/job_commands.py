"""Jobs from the command line: what has run, how it went, and starting one by hand, also in a gateway that runs."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

import msgspec

from cryptomarket.clock import Clock
from cryptomarket.errors import Impossible, NotFound
from cryptomarket.foundation import open_database
from cryptomarket.jobs.parts import JobsParts
from cryptomarket.jobs.repository import RunRepository
from cryptomarket.jobs.runs import Run, RunState
from cryptomarket.roles.requests import check_request
from cryptomarket.roles.timetable import jobs_in
from cryptomarket.settings import Settings

LOOK_S = 0.2
# Whoever runs jobs looks for what was asked for each second.
BEGUN_S = 5.0


async def list_jobs(settings: Settings) -> list[str]:
    """One line per job: its name, how often it is due, where it waits, and its newest run."""
    async with open_database(settings) as database:
        newest = await RunRepository(database).last_of_each()
    now_ms = Clock.system().wall_ms()
    lines = []
    for job in jobs_in(settings).values():
        run = newest.get(job.name)
        told = "has not run" if run is None else _state(run.as_of(now_ms))
        period = f"every {job.period_s:g} s" if job.period_s else "by hand"
        lines.append(f"{job.name:22} {period:15} {job.queue.value:8} {told}")
    return lines


async def run_job(
    settings: Settings,
    name: str,
    given: Mapping[str, object],
    *,
    wait: bool,
    tell: Callable[[str], None],
    begun_s: float = BEGUN_S,
) -> Run:
    """Asks for a run, which the gateway or a worker that runs begins within a second or two; with `wait`, tells its id,
    and once that nobody has begun it within `begun_s`, and gives it when it has ended. Raises NotFound, Impossible,
    Conflict, and StartRefused for a store that can't be opened.
    """
    async with open_database(settings) as database:
        parts = JobsParts(jobs_in(settings), RunRepository(database), Clock.system(), check=check_request)
        run = await parts.ask_for(name, given)
        return await _ended(parts, run, tell, begun_s) if wait else run


async def _ended(parts: JobsParts, run: Run, tell: Callable[[str], None], begun_s: float) -> Run:
    tell(run.id)
    late_s = parts.clock.monotonic_s() + begun_s
    is_told = False
    while not RunState(run.state).is_final:
        if run.started_ms is None and not is_told and parts.clock.monotonic_s() >= late_s:
            is_told = True
            tell("Nobody has begun it yet: is a gateway or a worker running?")
        await asyncio.sleep(LOOK_S)
        run = await parts.one(run.id)
    return run


async def job_status(settings: Settings, asked: str, *, limit: int) -> list[str]:
    """A run by its id, or the newest runs of a job by its name. Raises NotFound."""
    async with open_database(settings) as database:
        runs = RunRepository(database)
        if asked in jobs_in(settings):
            found = await runs.recent(limit=limit, job=asked)
        else:
            one = await runs.one(asked)
            if one is None:
                raise NotFound(f"There is no job and no run {asked[:128]!r}.")
            found = [one]
    now_ms = Clock.system().wall_ms()
    return [told(run.as_of(now_ms)) for run in found] or [f"{asked} has not run"]


def told(run: Run) -> str:
    """A run in a line or two."""
    lines = [f"{run.id}  {_state(run)}"]
    lines += [f"  {text}" for text in (run.result, run.error) if text is not None]
    return "\n".join(lines)


def _state(run: Run) -> str:
    took = ""
    if run.started_ms is not None and run.finished_ms is not None:
        took = f" in {(run.finished_ms - run.started_ms) / 1000:.3f} s"
    again = f", begun {run.attempts} times" if run.attempts > 1 else ""
    return f"{run.state}{took}{again}"


def read_words(words: Sequence[str]) -> dict[str, object]:
    """`days=30 dry_run=true tickers=btc_usd,eth_usd resolution=60` as arguments. Raises Impossible."""
    given: dict[str, object] = {}
    for word in words:
        name, found, value = word.partition("=")
        if not found or not name:
            raise Impossible(f"{word[:64]!r} is not NAME=VALUE.")
        if name == "tickers":
            given[name] = value.split(",")
            continue
        if name == "resolution":
            # A word, though most of them look like numbers.
            given[name] = value
            continue
        try:
            given[name] = msgspec.json.decode(value)
        except msgspec.DecodeError:
            given[name] = value
    return given
