"""Several processes together: kept running, and ended together."""

import asyncio
import sys
from pathlib import Path

from cryptomarket.settings import Settings
from cryptomarket.workers import Workers, workers_of

LOOK_S = 0.02
# Writes its own number into the folder, and lives until it is asked to end.
LIVES = """
import os, pathlib, signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
pathlib.Path(sys.argv[1], str(os.getpid())).touch()
signal.pause()
"""
REFUSES = "import sys; sys.exit(2)"
DEAF = """
import os, pathlib, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path(sys.argv[1], str(os.getpid())).touch()
time.sleep(60)
"""


def workers(folder: Path, program: str, count: int, grace_s: float = 10) -> Workers:
    quick = Settings(workers_backoff_cap_s=0.05, workers_grace_s=grace_s, stream_farewell_s=0.1)
    return workers_of(quick, (sys.executable, "-c", program, str(folder)), count)


async def seen(folder: Path, count: int) -> set[int]:
    """The processes that have come to life, once there are so many."""
    async with asyncio.timeout(20):
        while len(list(folder.iterdir())) < count:  # noqa: ASYNC110, ASYNC240  other processes tell nobody
            await asyncio.sleep(LOOK_S)  # sleep: between two looks at other processes
    return {int(path.name) for path in folder.iterdir()}  # noqa: ASYNC240  a folder of a test


async def over(running: "asyncio.Task[None]") -> None:
    async with asyncio.timeout(20):
        await running


async def test_all_run_and_all_end(tmp_path: Path) -> None:
    """Promise: as many as were asked for; when told to stop, none is left."""
    team = workers(tmp_path, LIVES, 3)
    running = asyncio.create_task(team.run())
    assert len(await seen(tmp_path, 3)) == 3
    team.stop()
    await over(running)
    assert not team.refused


async def test_one_that_dies_is_started_again(tmp_path: Path) -> None:
    """Promise: a crash of one process costs its readers a reconnection, and nobody else anything."""
    team = workers(tmp_path, LIVES, 2)
    running = asyncio.create_task(team.run())
    first = await seen(tmp_path, 2)
    team.kill(0)
    assert len(await seen(tmp_path, 3) - first) == 1
    team.stop()
    await over(running)


async def test_settings_that_are_refused_are_not_tried_again(tmp_path: Path) -> None:
    """Promise: what can't work ends at once, and is told."""
    team = workers(tmp_path, REFUSES, 2)
    await over(asyncio.create_task(team.run()))
    assert team.refused


async def test_one_that_does_not_end_is_ended(tmp_path: Path) -> None:
    """Promise: a process that hangs holds up the end for WORKERS_GRACE_S."""
    team = workers(tmp_path, DEAF, 1, grace_s=0.2)
    running = asyncio.create_task(team.run())
    await seen(tmp_path, 1)
    team.stop()
    async with asyncio.timeout(8):
        await running
