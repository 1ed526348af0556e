"""Jobs from the command line."""

import asyncio
from pathlib import Path

import pytest

from cryptomarket.clock import Clock
from cryptomarket.errors import Conflict, Impossible, NotFound
from cryptomarket.foundation import open_database
from cryptomarket.job_commands import job_status, list_jobs, read_words, run_job
from cryptomarket.jobs.repository import RunRepository
from cryptomarket.jobs.runs import RunState
from cryptomarket.settings import Settings


def test_words_are_arguments() -> None:
    """Promise: numbers, truth and lists of tickers are read as what they are; what is no pair is refused."""
    assert read_words(["days=30", "dry_run=true", "tickers=btc_usd,eth_usd", "other=x", "resolution=60"]) == {
        "days": 30,
        "dry_run": True,
        "tickers": ["btc_usd", "eth_usd"],
        "other": "x",
        "resolution": "60",
    }
    with pytest.raises(Impossible):
        read_words(["days"])


async def test_a_run_is_asked_for_and_looked_at(tmp_path: Path) -> None:
    """Promise: what is asked for waits for whoever runs jobs; unknown names, and what is under way, are refused."""
    settings = Settings(data_dir=tmp_path, project_mode="testing")
    said: list[str] = []
    run = await run_job(settings, "repair_gaps", {}, wait=False, tell=said.append)
    assert said == []
    assert await job_status(settings, run.id, limit=1) == [f"{run.id}  queued"]
    assert await job_status(settings, "repair_gaps", limit=1) == [f"{run.id}  queued"]
    assert await job_status(settings, "check_health", limit=1) == ["check_health has not run"]
    assert any(line.startswith("repair_gaps") and line.endswith("queued") for line in await list_jobs(settings))
    with pytest.raises(Conflict):
        await run_job(settings, "repair_gaps", {}, wait=False, tell=said.append)
    with pytest.raises(NotFound):
        await run_job(settings, "nothing", {}, wait=True, tell=said.append)
    with pytest.raises(NotFound):
        await job_status(settings, "nothing", limit=1)


async def test_whoever_waits_is_told_that_nobody_works(tmp_path: Path) -> None:
    """Promise: who waits knows at once for which run, and after a while, once, that nobody has begun it; he is still
    given it when it has ended.
    """
    settings = Settings(data_dir=tmp_path, project_mode="testing")
    said: list[str] = []
    late = asyncio.Event()

    def tell(line: str) -> None:
        said.append(line)
        if "Nobody has begun it" in line:
            late.set()

    async with asyncio.timeout(20), asyncio.TaskGroup() as together:
        waiting = together.create_task(run_job(settings, "repair_gaps", {}, wait=True, tell=tell, begun_s=0.01))
        await late.wait()
        async with open_database(settings) as database:
            runs, now_ms = RunRepository(database), Clock.system().wall_ms()
            assert len(await runs.take(now_ms=now_ms)) == 1
            assert await runs.end_left(now_ms=now_ms, error="given up") == 1
    assert said == [waiting.result().id, "Nobody has begun it yet: is a gateway or a worker running?"]
    assert RunState(waiting.result().state).is_final
