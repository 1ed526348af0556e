"""The schedule of a gateway of one process, on a clock that a test moves."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from __tests__.jobs.world import ALONE, BESIDE, NOW_MS, World, run_of
from __tests__.journeys.witness import comes_true
from cryptomarket.errors import Conflict, ExchangeFatal, ExchangeRetryable
from cryptomarket.jobs.arguments import Arguments, OfTickers
from cryptomarket.jobs.clockwork import LEFT_BEHIND, Clockwork
from cryptomarket.jobs.job import Occasion, Result
from cryptomarket.jobs.runs import Run, RunState

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


async def ended(world: World, run_id: str) -> Run:
    """What has become of a run, once it has ended."""

    async def is_over() -> Run | None:
        run = await world.runs.one(run_id)
        return run if run is not None and RunState(run.state).is_final else None

    run = await comes_true(is_over)
    assert isinstance(run, Run)
    return run


async def test_inline_what_may_be_well_is_tried_again_later_and_later(world: World) -> None:
    """Promise: without Celery, too, one that the exchange refuses for now comes again after its pause, and each pause
    may be twice the one before; a poison job ends after its retries and shows its error; the next period is run.
    """
    world.jobs, world.chance = {"beside": BESIDE}, 0.04
    times_s: list[float] = []

    async def refuses(_arguments: Arguments, occasion: Occasion) -> Result:
        times_s.append(asyncio.get_running_loop().time())
        if occasion.scheduled_ms == NOW_MS + 60_000:
            raise ExchangeRetryable(10028, "too_many_requests")
        return {"well": True}

    world.does = refuses
    async with going(world) as clockwork:
        world.now_ms += 60_000
        clockwork.look()
        poisoned = await ended(world, BESIDE.run_id(world.now_ms))
        assert (poisoned.state, poisoned.attempts) == (RunState.FAILED, BESIDE.retries + 1)
        assert "10028" in str(poisoned.error)
        pauses_s = [after - before for before, after in pairwise(times_s)]
        assert [pause_s >= least_s for pause_s, least_s in zip(pauses_s, (0.04, 0.08, 0.16), strict=True)] == [True] * 3
        world.now_ms += 60_000
        clockwork.look()
        well = await ended(world, BESIDE.run_id(world.now_ms))
    assert (well.state, well.attempts, well.result) == (RunState.SUCCEEDED, 1, '{"well":true}')


async def test_inline_what_will_fail_again_or_hangs_ends_at_once(world: World) -> None:
    """Promise: without Celery, too, what is refused for good is tried once; one beyond its limit is cancelled, and told
    as that; neither keeps the next period from running.
    """
    hasty = replace(BESIDE, limit_s=0.05)
    world.jobs = {"beside": hasty}
    hung = asyncio.Event()

    async def in_turn(_arguments: Arguments, occasion: Occasion) -> Result:
        match (occasion.scheduled_ms - NOW_MS) // 60_000:
            case 1:
                raise ExchangeFatal(-32602, "Invalid params")
            case 2:
                try:
                    await asyncio.Event().wait()
                finally:
                    hung.set()
        return {}

    world.does = in_turn
    found = []
    async with going(world) as clockwork:
        for _ in range(3):
            world.now_ms += 60_000
            clockwork.look()
            found.append(await ended(world, hasty.run_id(world.now_ms)))
    assert hung.is_set()
    states = [RunState.FAILED, RunState.TIMED_OUT, RunState.SUCCEEDED]
    assert [(run.state, run.attempts) for run in found] == [(state, 1) for state in states]
    assert "-32602" in str(found[0].error)
    assert found[1].error == "It took longer than 0.05 s."


async def test_inline_one_that_is_running_is_refused_a_second_time(world: World) -> None:
    """Promise: while it runs, another is a conflict that names it, or is left out where the clock wants it; afterwards
    there is room again.
    """
    begun, over = asyncio.Event(), asyncio.Event()

    async def waits(_arguments: Arguments, _occasion: Occasion) -> Result:
        begun.set()
        await over.wait()
        return {}

    world.does, world.jobs = waits, {"alone": replace(ALONE, limit_s=100)}
    async with going(world) as clockwork:
        first = await replace(world.parts, on_asked=clockwork.look).ask_for("alone", {})
        await begun.wait()
        with pytest.raises(Conflict, match=first.id):
            await world.parts.ask_for("alone", {})
        world.now_ms += 60_000
        clockwork.look()
        skipped = await ended(world, ALONE.run_id(world.now_ms))
        assert (skipped.state, skipped.error) == (RunState.SKIPPED, "It was running already.")
        over.set()
        assert (await ended(world, first.id)).state == RunState.SUCCEEDED
        second = await replace(world.parts, on_asked=clockwork.look).ask_for("alone", {})
        assert (await ended(world, second.id)).state == RunState.SUCCEEDED
    assert len(world.seen) == 2
