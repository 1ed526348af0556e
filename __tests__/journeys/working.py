"""Workers and beats as processes beside a deployment, and what became of the runs of jobs."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from __tests__.journeys.gateway import QUICK, Json, exact
from __tests__.journeys.scaled import Deployment
from __tests__.journeys.witness import comes_true

PERIOD_S = int(os.environ.get("JOBS_PERIOD_S", "2"))
"""How often prices are collected; a minute in the long form."""
JOBS_AWAY_S = float(os.environ.get("JOBS_AWAY_S", "4"))
"""For how long Redis says nothing to workers; two minutes in the long form."""

OFTEN = {
    "collect_index_prices_s": str(PERIOD_S),
    "collect_tickers_s": "0",
    "refresh_latest_s": "0",
    "flush_persons_s": "0",
    "check_health_s": "0",
    "make_partitions_s": "0",
    "finalise_candles_s": "0",
    "refresh_catalogue_s": "0",
    "repair_gaps_s": "0",
    "check_candles_s": "0",
    "job_limit_s": "3",
    "job_grace_s": "4",
    "job_dead_s": "13",
    "beat_dead_s": "4",
}
"""Prices each period, and nothing else but what a test asks for."""

LOOK_S = 0.25
FAKETIME = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), Path("libfaketimeMT.so.1"))


def faked_clock(file: Path) -> dict[str, str]:
    """The environment of a process whose clock of the wall is as the file says, `+0` or `+7200s`; see `faketime(1)`."""
    return {
        "LD_PRELOAD": str(FAKETIME), "FAKETIME_TIMESTAMP_FILE": str(file), "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1",
    }  # fmt: skip


@dataclass
class Helper:
    """A worker or a beat, and its children."""

    process: asyncio.subprocess.Process
    log_path: Path

    def send(self, number: signal.Signals) -> None:
        """To all of them."""
        os.killpg(self.process.pid, number)

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """By a signal to the first of them, or `kill -9` to all; its exit status."""
        if self.process.returncode is None:
            if number is signal.SIGKILL:
                self.send(number)
            else:
                self.process.send_signal(number)
        async with asyncio.timeout(20):
            return await self.process.wait()

    def said(self) -> str:
        """What it has written so far."""
        return self.log_path.read_text(errors="replace")


@asynccontextmanager
async def helping(
    built: Deployment, who: str, *, name: str = "", module: str = "", **settings: str
) -> AsyncIterator[Helper]:
    """`python -m cryptomarket.<who>`, or another module, until the block ends. Its log is shown if that ends badly."""
    folder = built.folder / (name or who)
    folder.mkdir(exist_ok=True)
    given = {**built.settings, **settings, "seal_secret": "", "token_key": "", "data_dir": str(folder)}
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), **QUICK}
    environment |= {key.upper() if key.islower() else key: value for key, value in given.items()}
    if module:
        environment["PYTHONPATH"] = str(Path(__file__).parents[2])
    log_path = folder / "helper.log"
    with log_path.open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", module or f"cryptomarket.{who}", cwd=folder, env=environment, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
    helper = Helper(process, log_path)
    try:
        yield helper
    except BaseException:
        print(f"---- {folder.name}\n{helper.said()[-6000:]}")  # noqa: T201  it is shown where a test has failed
        raise
    finally:
        try:
            await helper.end()
        finally:
            if process.returncode is None:
                await helper.end(signal.SIGKILL)


def runs(built: Deployment, job: str) -> list[Mapping[str, Json]]:
    """What became of a job, oldest first."""
    rows = built.postgres.sql(
        f"SELECT row_to_json(r) FROM crypto.job_runs r WHERE job = '{job}' ORDER BY scheduled_ms", built.database
    )
    return [exact(line) for line in rows.splitlines()]


def collected(built: Deployment) -> list[Mapping[str, Json]]:
    """The rows that were collected, oldest first."""
    rows = built.postgres.sql(
        "SELECT row_to_json(r) FROM crypto.price_tickers r WHERE source = 'collected' ORDER BY id", built.database
    )
    return [exact(line) for line in rows.splitlines()]


async def has_run(
    built: Deployment, job: str, state: str = "succeeded", count: int = 1, *, within_s: float = 40
) -> None:
    """Returns when so many runs of a job have come to a state, `within_s` beyond their periods."""

    async def is_so() -> bool:
        await asyncio.sleep(LOOK_S)  # sleep: a look costs a process of its own, and those that are watched their time
        found = await asyncio.to_thread(runs, built, job)
        return len([run for run in found if run["state"] == state]) >= count

    try:
        await comes_true(is_so, within_s=within_s + count * PERIOD_S)
    except AssertionError:
        raise AssertionError(f"{job} is not {state}: {runs(built, job)[-3:]}") from None
