"""Runs in both databases."""

import asyncio

import msgspec
import pytest

from __tests__.jobs.world import ALONE, BESIDE, NOW_MS, World, run_of
from cryptomarket.jobs.runs import LEFT, RunState


async def test_of_two_who_begin_a_run_one_does(world: World) -> None:
    """Promise: what was said twice is begun once; again only when its first runner is known to have died."""
    begun = await asyncio.gather(*(world.runs.begin(run_of(ALONE), again=False) for _ in range(8)))
    assert sum(run is not None for run in begun) == 1
    again = await world.runs.begin(run_of(ALONE), again=True)
    assert again is not None
    assert again.attempts == 2
    await world.runs.note(msgspec.structs.replace(again, state=RunState.SUCCEEDED.value))
    assert await world.runs.begin(run_of(ALONE), again=True) is None


async def test_a_run_that_was_taken_for_lost_may_be_handed_out_again(world: World) -> None:
    """Promise: a worker's death is noticed before its task is given to another; that one still runs it."""
    await world.runs.begin(run_of(ALONE), again=False)
    await world.runs.tidy("alone", now_ms=NOW_MS + 60_000, kept=10)
    lost = await world.runs.one(ALONE.run_id(NOW_MS))
    assert lost is not None
    assert (lost.state, lost.error) == (RunState.TIMED_OUT, LEFT)
    assert await world.runs.begin(run_of(ALONE), again=False) is None
    assert await world.runs.begin(run_of(ALONE), again=True) is not None


async def test_what_is_asked_for_is_handed_out_once(world: World) -> None:
    """Promise: of many who look for what was asked for, one gets it; what nobody could send is there again."""
    asked = run_of(BESIDE, state=RunState.QUEUED, id="by-hand", attempts=0)
    assert await world.runs.request(asked, beside_itself=True) is None
    taken = await asyncio.gather(*(world.runs.take(now_ms=NOW_MS) for _ in range(6)))
    assert [run.id for each in taken for run in each] == ["by-hand"]
    await world.runs.give_back(asked)
    assert len(await world.runs.take(now_ms=NOW_MS)) == 1
    assert await world.runs.take(now_ms=NOW_MS) == []


async def test_one_that_must_not_run_twice_is_not_asked_for_twice(world: World) -> None:
    """Promise: while it is under way, its run is named instead; once it is over, or lost, there is another."""
    await world.runs.begin(run_of(ALONE), again=False)
    asked = run_of(ALONE, state=RunState.QUEUED, id="by-hand", at_ms=NOW_MS + 1)
    under_way = await world.runs.request(asked, beside_itself=False)
    assert under_way is not None
    assert under_way.id == ALONE.run_id(NOW_MS)
    later = msgspec.structs.replace(asked, scheduled_ms=NOW_MS + 60_000)
    assert await world.runs.request(later, beside_itself=False) is None


async def test_of_two_who_ask_at_once_one_gets_it(world: World) -> None:
    """Promise: of a job that must not run beside itself, however many ask at the same moment, one run is added."""
    asked = [run_of(ALONE, state=RunState.QUEUED, id=f"by-hand-{at}") for at in range(8)]
    told = await asyncio.gather(*(world.runs.request(run, beside_itself=False) for run in asked))
    added = [run for run, under_way in zip(asked, told, strict=True) if under_way is None]
    assert len(added) == 1
    assert {under_way.id for under_way in told if under_way is not None} == {added[0].id}


@pytest.mark.parametrize("state", list(RunState))
async def test_runs_in_a_state_are_found_as_of_now(world: World, state: RunState) -> None:
    """Promise: what is looked for by its state is found behind any number of others, and told as it now is: who was to
    be heard of by now, and was not, has timed out or expired.
    """
    for at, kept in enumerate(RunState):
        await world.runs.note(run_of(ALONE, at_ms=NOW_MS + at, state=kept, id=f"lost-{kept}", overdue_ms=NOW_MS + 1000))
        await world.runs.note(run_of(ALONE, at_ms=NOW_MS + at, state=kept, id=f"new-{kept}", overdue_ms=NOW_MS + 3000))
    now_ms = NOW_MS + 2000
    every = [run.as_of(now_ms) for run in await world.runs.recent(limit=100)]
    found = await world.runs.recent(limit=100, state=state, now_ms=now_ms)
    assert {run.id for run in found} == {run.id for run in every if run.state == state} != set()
    assert len(await world.runs.recent(limit=1, job="alone", state=state, now_ms=now_ms)) == 1


async def test_only_the_newest_are_remembered(world: World) -> None:
    """Promise: the table is bounded: so many of each job, and those of others are left alone."""
    for at in range(7):
        await world.runs.note(run_of(ALONE, at_ms=NOW_MS + at, state=RunState.SUCCEEDED))
    await world.runs.note(run_of(BESIDE, at_ms=NOW_MS - 1, state=RunState.FAILED))
    await world.runs.tidy("alone", now_ms=NOW_MS, kept=3)
    kept = await world.runs.recent(limit=20)
    assert [run.scheduled_ms - NOW_MS for run in kept] == [6, 5, 4, -1]
    assert [run.job for run in await world.runs.recent(limit=5, job="beside")] == ["beside"]
    assert {name: run.scheduled_ms - NOW_MS for name, run in (await world.runs.last_of_each()).items()} == {
        "alone": 6,
        "beside": -1,
    }


async def test_a_new_start_ends_what_the_old_one_left(world: World) -> None:
    """Promise: where there is one process, what it ran when it died is not under way any more."""
    await world.runs.begin(run_of(ALONE), again=False)
    assert await world.runs.end_left(now_ms=NOW_MS + 5, error="gone") == 1
    left = await world.runs.one(ALONE.run_id(NOW_MS))
    assert left is not None
    assert (left.state, left.error, left.finished_ms) == (RunState.FAILED, "gone", NOW_MS + 5)
