"""The schedule of a gateway of one process, on a clock that a test moves."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from sqlalchemy import text
from structlog.testing import capture_logs

from __tests__.jobs.world import ALONE, BESIDE, NOW_MS, World, run_of
from __tests__.journeys.witness import comes_true
from cryptomarket.jobs.arguments import Arguments, OfTickers
from cryptomarket.jobs.clockwork import LEFT_BEHIND, Clockwork
from cryptomarket.jobs.job import Occasion, Result
from cryptomarket.jobs.runs import RunState

BROKEN = {
    "a run could not be begun",
    "what became of a run could not be noted",
    "runs that were asked for can't be looked for",
}


@asynccontextmanager
async def going(world: World) -> AsyncIterator[Clockwork]:
    clockwork = Clockwork(world.jobs, world.runner, world.runs, clock=world.clock)
    running = asyncio.create_task(clockwork.run())
    try:
        await comes_true(lambda: clockwork._next_ms or running.done())  # noqa: SLF001  it tells nobody that it has begun
        yield clockwork
    finally:
        running.cancel()
        await asyncio.wait([running])


async def test_each_period_is_run_once(world: World) -> None:
    """Promise: a job is run when its period begins, whether the clock walks there, jumps, or is set back."""
    world.jobs = {"beside": BESIDE}
    async with going(world) as clockwork:
        for step_ms in (60_000, 60_000, 3_600_000):
            world.now_ms += step_ms
            clockwork.look()
            await comes_true(lambda: world.seen and world.seen[-1][1].scheduled_ms == world.now_ms)
        world.now_ms -= 60_000
        clockwork.look()
        await comes_true(lambda: clockwork._next_ms["beside"] == NOW_MS + 3_720_000)  # noqa: SLF001
        world.now_ms += 60_000
        clockwork.look()
        await comes_true(lambda: clockwork._next_ms["beside"] > world.now_ms)  # noqa: SLF001
    slots = [occasion.scheduled_ms for _, occasion in world.seen]
    assert slots == [NOW_MS + 60_000, NOW_MS + 120_000, NOW_MS + 3_720_000]


async def test_what_is_asked_for_is_run(world: World) -> None:
    """Promise: a run that was asked for by hand is found at once, and run with what it was told."""
    async with going(world) as clockwork:
        world.parts.on_asked()
        run = await replace(world.parts, on_asked=clockwork.look).ask_for("beside", {"tickers": ["eth_usd"]})
        await comes_true(lambda: world.seen)
        assert world.seen == [(OfTickers(tickers=["eth_usd"]), Occasion(NOW_MS, 1))]
        await comes_true(lambda: clockwork.under_way == [])
    ended = await world.runs.one(run.id)
    assert ended is not None
    assert (ended.state, ended.cause) == (RunState.SUCCEEDED, "hand")


async def test_a_crashed_start_leaves_nothing_running(world: World) -> None:
    """Promise: what ran when the process was killed is told as ended by the next start."""
    await world.runs.begin(run_of(ALONE), again=False)
    async with going(world):
        left = await world.runs.one(ALONE.run_id(NOW_MS))
    assert left is not None
    assert (left.state, left.error) == (RunState.FAILED, LEFT_BEHIND)


async def renamed(world: World, name: str, other: str) -> None:
    before = f"crypto_{name}" if world.database.is_sqlite else f"crypto.{name}"
    after = f"crypto_{other}" if world.database.is_sqlite else other
    async with world.database.begin() as connection:
        await connection.execute(text(f"ALTER TABLE {before} RENAME TO {after}"))


async def test_whatever_the_database_says_the_clock_goes_on(world: World) -> None:
    """Promise: an error that nobody foresaw, around a job and not in it, is told in the log and ends nothing: the next
    period is run when the database is well.
    """
    world.jobs = {"beside": BESIDE}
    async with going(world) as clockwork:
        await renamed(world, "job_runs", "hidden")
        world.now_ms += 60_000
        with capture_logs() as lines:
            clockwork.look()
            await comes_true(lambda: {line["event"] for line in lines} >= BROKEN and clockwork.under_way == [])
        assert world.seen == [], "a run began that nobody could note"
        await renamed(world, "hidden", "job_runs")
        world.now_ms += 60_000
        clockwork.look()
        await comes_true(lambda: world.seen)
        assert clockwork.late_s < 5


async def test_what_was_asked_for_and_can_not_be_read_is_given_up(world: World) -> None:
    """Promise: a request of another version of the program fails with its reason, and keeps no other from running."""
    unread = run_of(BESIDE, state=RunState.QUEUED, id="unread", arguments='{"tickers":5}', overdue_ms=NOW_MS + 60_000)
    unknown = run_of(replace(BESIDE, name="gone"), state=RunState.QUEUED, id="unknown", overdue_ms=NOW_MS + 60_000)
    for run in (unread, unknown):
        await world.runs.request(run, beside_itself=True)
    async with going(world) as clockwork:
        await world.parts.ask_for("beside", {})
        clockwork.look()
        await comes_true(lambda: world.seen)
    ended = [await world.runs.one(run.id) for run in (unread, unknown)]
    assert [(run.state, str(run.error).partition(":")[0]) for run in ended if run is not None] == [
        (RunState.FAILED, "Impossible"),
        (RunState.FAILED, "NotFound"),
    ]


async def test_a_slow_job_keeps_no_other_waiting(world: World) -> None:
    """Promise: while one of a queue hangs, those of other queues are run, and the clock is looked at."""

    async def hangs(arguments: Arguments, _occasion: Occasion) -> Result:
        if not isinstance(arguments, OfTickers):
            await asyncio.Event().wait()
        return {}

    world.does = hangs
    async with going(world) as clockwork:
        await world.parts.ask_for("alone", {})
        clockwork.look()
        await comes_true(lambda: len(world.seen) == 1)
        await world.parts.ask_for("beside", {})
        clockwork.look()
        await comes_true(lambda: len(world.seen) == 2 and len(clockwork.under_way) == 1)
        assert clockwork.late_s < 5
