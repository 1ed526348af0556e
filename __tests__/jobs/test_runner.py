"""The one place where jobs are run: whatever they do, it is noted, and nothing of it stays."""

import asyncio
from dataclasses import replace

import pytest

from __tests__.jobs.world import ALONE, BESIDE, NOW_MS, World, run_of
from cryptomarket.db import Database
from cryptomarket.errors import ExchangeFatal, ExchangeRetryable
from cryptomarket.jobs.arguments import Arguments, OfTickers, Removing
from cryptomarket.jobs.job import Job, Occasion, Result
from cryptomarket.jobs.runner import Outcome
from cryptomarket.jobs.runs import RunState

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1X21mcmcifQ.c2lnbmF0dXJl"


async def once(world: World, job: Job = BESIDE, *, again: bool = False, arguments: Arguments | None = None) -> Outcome:
    given = job.arguments() if arguments is None else arguments
    return await world.runner.run(job, job.run_id(NOW_MS), given, scheduled_ms=NOW_MS, again=again)


async def test_a_run_is_noted_from_beginning_to_end(world: World) -> None:
    """Promise: what a job was told, when it began and ended, and what it has come to can be looked up."""
    outcome = await once(world, arguments=OfTickers(tickers=["btc_usd"]))
    assert outcome.run == await world.runs.one(BESIDE.run_id(NOW_MS))
    assert outcome.run is not None
    assert (outcome.run.state, outcome.run.result) == (RunState.SUCCEEDED, '{"done":1}')
    assert outcome.run.arguments == '{"tickers":["btc_usd"]}'
    assert world.seen == [(OfTickers(tickers=["btc_usd"]), Occasion(NOW_MS, 1))]
    assert await once(world) == Outcome(None), "the same run was run again"


async def test_what_comes_late_is_not_begun(world: World) -> None:
    """Promise: a message that has waited too long is left out, unless its former runner has died, or it was to be tried
    again.
    """

    async def late(run_id: str, *, again: bool = False) -> Outcome:
        return await world.runner.run(BESIDE, run_id, Arguments(), scheduled_ms=NOW_MS, again=again, late=True)

    assert await late("stale") == Outcome(None)
    assert await world.runs.one("stale") is None
    redelivered = await late("redelivered", again=True)
    await world.runs.begin(run_of(BESIDE, id="waits", state=RunState.RETRYING), again=False)
    tried_again = await late("waits")
    assert [outcome.run and outcome.run.state for outcome in (redelivered, tried_again)] == [RunState.SUCCEEDED] * 2


async def test_what_may_be_well_is_tried_again_and_then_given_up(world: World) -> None:
    """Promise: later and later, with a part left to chance; after its retries a poison task ends, with its error."""

    async def refuses(_arguments: Arguments, _occasion: Occasion) -> Result:
        raise ExchangeRetryable(10028, "too_many_requests")

    world.does = refuses
    outcomes = [await once(world) for _ in range(BESIDE.retries + 1)]
    assert [outcome.retry_in_s for outcome in outcomes] == [0.5, 1.0, 2.0, None]
    last = outcomes[-1].run
    assert last is not None
    assert (last.state, last.attempts) == (RunState.FAILED, 4)
    assert "10028" in str(last.error)
    assert await once(world) == Outcome(None)


@pytest.mark.parametrize("error", [ExchangeFatal(-32602, f"no {TOKEN}"), KeyError(TOKEN), TimeoutError("its own")])
async def test_what_will_fail_again_fails_at_once(world: World, error: Exception) -> None:
    """Promise: whatever a job raises is noted, without what looks like a secret, and is not tried again."""

    async def fails(_arguments: Arguments, _occasion: Occasion) -> Result:
        raise error

    world.does = fails
    outcome = await once(world)
    assert outcome.retry_in_s is None
    assert outcome.run is not None
    assert outcome.run.state == RunState.FAILED
    assert type(error).__name__ in str(outcome.run.error)
    assert TOKEN not in str(outcome.run.error)


async def test_a_job_beyond_its_limit_is_ended(world: World) -> None:
    """Promise: it is cancelled, and its record says so."""
    ended = asyncio.Event()

    async def hangs(_arguments: Arguments, _occasion: Occasion) -> Result:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return {}

    world.does = hangs
    outcome = await once(world, replace(BESIDE, limit_s=0.05))
    assert ended.is_set()
    assert outcome.run is not None
    assert (outcome.run.state, outcome.run.error) == (RunState.TIMED_OUT, "It took longer than 0.05 s.")


async def test_one_that_must_not_run_beside_itself_does_not(world: World) -> None:
    """Promise: a second run meanwhile is left out, and says why; afterwards there is room again."""
    begun, over = asyncio.Event(), asyncio.Event()

    async def waits(_arguments: Arguments, _occasion: Occasion) -> Result:
        begun.set()
        await over.wait()
        return {}

    world.does = waits
    first = asyncio.create_task(once(world, ALONE))
    await begun.wait()
    second = await world.runner.run(ALONE, "second", Removing(), scheduled_ms=NOW_MS)
    assert second.run is not None
    assert second.run.state == RunState.SKIPPED
    over.set()
    assert (await first).run is not None
    third = await world.runner.run(ALONE, "third", Removing(), scheduled_ms=NOW_MS)
    assert third.run is not None
    assert third.run.state == RunState.SUCCEEDED


async def test_a_task_that_kills_its_worker_each_time_ends(world: World) -> None:
    """Promise: one that was begun again and again without an end is not begun for ever."""

    async def dies(_arguments: Arguments, _occasion: Occasion) -> Result:
        raise asyncio.CancelledError

    world.does = dies
    for _ in range(BESIDE.retries + 3):
        with pytest.raises(asyncio.CancelledError):
            await once(world, again=True)
    outcome = await once(world, again=True)
    assert outcome.run is not None
    assert outcome.run.state == RunState.FAILED


async def test_a_database_that_is_away_keeps_no_job_from_running(world: World) -> None:
    """Promise: a check of the parts can tell that the database is away."""
    away = Database("postgresql://nobody@127.0.0.1:1/nothing")
    world.runs = type(world.runs)(away)
    outcome = await once(world)
    assert outcome.run is not None
    assert outcome.run.state == RunState.SUCCEEDED
    await away.close()
