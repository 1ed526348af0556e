"""Asking for a run."""

import pytest

from __tests__.jobs.world import World
from cryptomarket.errors import Conflict, Impossible, NotFound
from cryptomarket.jobs.runs import RunState


async def test_a_run_is_asked_for_once_while_it_is_under_way(world: World) -> None:
    """Promise: it waits for whoever runs jobs, who is told; one that must not run beside itself is refused."""
    run = await world.parts.ask_for("alone", {"dry_run": True})
    assert (run.state, run.arguments, world.asked) == (RunState.QUEUED, '{"dry_run":true}', 1)
    with pytest.raises(Conflict):
        await world.parts.ask_for("alone", {})
    assert (await world.parts.ask_for("beside", {})).id != (await world.parts.ask_for("beside", {})).id
    world.now_ms += 120_000
    assert (await world.parts.one(run.id)).state == RunState.EXPIRED
    assert (await world.parts.ask_for("alone", {})).state == RunState.QUEUED


async def test_what_is_no_job_is_refused(world: World) -> None:
    """Promise: an unknown job, an unknown run and arguments out of range change nothing."""
    with pytest.raises(NotFound):
        await world.parts.ask_for("nothing", {})
    with pytest.raises(Impossible):
        await world.parts.ask_for("alone", {"days": -1})
    with pytest.raises(NotFound):
        await world.parts.one("nothing")
    assert await world.runs.recent(limit=10) == []
