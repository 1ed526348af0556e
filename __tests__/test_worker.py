"""Celery's tasks, as their worker runs them."""

from pathlib import Path

from cryptomarket.household import House, Household
from cryptomarket.jobs.runs import RunState
from cryptomarket.settings import Settings
from cryptomarket.worker import Worker

SAID_MS = 1_790_165_100_000


def test_a_stale_message_is_left_out_and_that_of_a_dead_worker_is_not(tmp_path: Path) -> None:
    """Promise: what nobody has begun within its expiry is dropped; what a worker had taken that then died is run,
    however late.
    """
    worker = Worker(
        Settings.model_validate({"redis_url": "redis://127.0.0.1:1/0", "exchange": "simulator", "data_dir": tmp_path})
    )
    alone = Household(Settings.model_validate({"data_dir": tmp_path}), send=lambda _run: None)
    alone.start()
    worker._household = alone  # noqa: SLF001  a worker's process begins with one of its own
    job = worker.jobs["make_partitions"]
    task = worker.app.tasks[job.name]

    def run(run_id: str, after_s: float, *, redelivered: bool = False) -> str:
        worker.now_ms = lambda: SAID_MS + round(after_s * 1000)
        task.push_request(id=run_id, delivery_info={"redelivered": redelivered})
        try:
            return str(task.run(SAID_MS, said_ms=SAID_MS))
        finally:
            task.pop_request()

    try:
        assert run("stale", job.expiry_s) == "nothing to do"
        assert run("in time", job.expiry_s - 1) == RunState.SUCCEEDED
        assert run("of a dead worker", job.expiry_s + 600, redelivered=True) == RunState.SUCCEEDED

        async def known(house: House) -> list[bool]:
            return [await house.runs.one(name) is not None for name in ("stale", "in time", "of a dead worker")]

        assert alone.run(known) == [False, True, True]
    finally:
        alone.stop()
