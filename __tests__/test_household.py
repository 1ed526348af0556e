"""The parts of a worker process, on a loop in a thread."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from structlog.testing import capture_logs

from __tests__.jobs.world import BESIDE, run_of
from cryptomarket.errors import Unavailable
from cryptomarket.household import House, Household
from cryptomarket.jobs.runs import Run, RunState
from cryptomarket.settings import Settings

FAR_MS = 2**42


@contextmanager
def living(folder: Path, sent: list[Run], reached: threading.Event, **settings: float) -> Iterator[Household]:
    """A household whose queue takes every run but those of a job that it does not know."""

    def send(run: Run) -> None:
        if run.job == "gone":
            raise KeyError(run.job)
        sent.append(run)
        reached.set()

    home = Household(Settings.model_validate({"data_dir": folder, **settings}), send=send)
    home.start()
    try:
        yield home
    finally:
        home.stop()


def test_a_run_that_can_not_be_handed_on_keeps_no_other(tmp_path: Path) -> None:
    """Promise: whatever is raised by one run that was asked for, it is told and given up, and the next is handed on."""
    sent, reached = list[Run](), threading.Event()
    with living(tmp_path, sent, reached) as home:

        async def ask(house: House) -> None:
            for at, (name, job) in enumerate({"unknown": replace(BESIDE, name="gone"), "known": BESIDE}.items()):
                await house.runs.note(run_of(job, at_ms=at, state=RunState.QUEUED, id=name, overdue_ms=FAR_MS))

        home.run(ask)
        assert reached.wait(20)
        assert [run.id for run in sent] == ["known"]

        async def state(house: House) -> tuple[str, str | None]:
            found = await house.runs.one("unknown")
            assert found is not None
            return found.state, found.error

        assert home.run(state) == (RunState.FAILED, "KeyError: 'gone'")


def test_a_task_that_blocks_the_loop_is_stayed_with(tmp_path: Path) -> None:
    """Promise: a worker whose loop does not answer at the first limit takes no other task: it says where it is blocked,
    and waits there for the second limit, by which its process is ended.
    """
    blocked, over = threading.Event(), threading.Event()

    async def blocks(_house: House) -> None:
        blocked.set()
        over.wait(20)

    def limit(_number: int, _frame: FrameType | None) -> None:
        raise SoftTimeLimitExceeded

    def told() -> None:
        blocked.wait(20)
        # Nothing but time shows that nobody has gone.
        still_there.append(not gone.wait(1))
        over.set()

    gone, still_there = threading.Event(), list[bool]()
    with living(tmp_path, [], threading.Event(), job_grace_s=1) as home, capture_logs() as lines:
        former = signal.signal(signal.SIGALRM, limit)
        watcher = threading.Thread(target=told)
        watcher.start()
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.5)
            with pytest.raises(SoftTimeLimitExceeded):
                home.run(blocks)
            gone.set()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, former)
            over.set()
            watcher.join()
    assert still_there == [True]
    told_lines = [line for line in lines if "blocks the event loop" in str(line["event"])]
    assert len(told_lines) == 1
    assert "over.wait(20)" in told_lines[0]["where"]


def test_a_loop_that_does_not_begin_is_not_waited_for(tmp_path: Path) -> None:
    """Promise: JOB_PARTS_TIMEOUT_S bounds a beginning that hangs."""
    blocked = threading.Event()

    class Blocked(Household):
        def _live(self) -> None:
            blocked.wait()

    household = Blocked(Settings.model_validate({"data_dir": tmp_path, "job_parts_timeout_s": 0.05}), send=print)
    began_s = time.monotonic()
    with pytest.raises(Unavailable):
        household.start()
    blocked.set()
    assert time.monotonic() - began_s < 10
