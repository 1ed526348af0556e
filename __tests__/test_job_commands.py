"""Jobs from the command line."""

from pathlib import Path

import pytest

from cryptomarket.errors import Conflict, Impossible, NotFound
from cryptomarket.job_commands import job_status, list_jobs, read_words, run_job
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
    run = await run_job(settings, "repair_gaps", {}, wait=False)
    assert await job_status(settings, run.id, limit=1) == [f"{run.id}  queued"]
    assert await job_status(settings, "repair_gaps", limit=1) == [f"{run.id}  queued"]
    assert await job_status(settings, "check_health", limit=1) == ["check_health has not run"]
    assert any(line.startswith("repair_gaps") and line.endswith("queued") for line in await list_jobs(settings))
    with pytest.raises(Conflict):
        await run_job(settings, "repair_gaps", {}, wait=False)
    with pytest.raises(NotFound):
        await run_job(settings, "nothing", {}, wait=True)
    with pytest.raises(NotFound):
        await job_status(settings, "nothing", limit=1)
