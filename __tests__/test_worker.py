"""Celery's tasks, as their worker runs them."""

import gc
import logging
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from kombu.transport import redis
from redis.exceptions import ConnectionError as LostConnection
from redis.exceptions import TimeoutError as NoAnswer

from cryptomarket.household import House, Household
from cryptomarket.jobs.runs import RunState
from cryptomarket.settings import Settings
from cryptomarket.worker import Asking, TellingMessage, Worker, main

SAID_MS = 1_790_165_100_000


def test_a_stale_message_is_left_out_and_that_of_a_dead_worker_is_not(tmp_path: Path) -> None:
    """Promise: what nobody has begun within its expiry is dropped; what a worker had taken that then died is run,
    however late.
    """
    worker = worker_in(tmp_path)
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


@dataclass
class Way:
    """What a message came by; `lost` is raised by whatever is said on it."""

    lost: Exception | None = None
    said: list[tuple[str, str, bool]] = field(default_factory=list)
    no_ack_consumers: tuple[str, ...] = ()

    def _say(self, *words: object) -> None:
        if self.lost is not None:
            raise self.lost
        self.said.append(words)  # type: ignore[arg-type]

    def basic_ack(self, tag: str, multiple: bool) -> None:
        self._say("ack", tag, multiple)

    def basic_reject(self, tag: str, requeue: bool) -> None:
        self._say("reject", tag, requeue)


LOSSES = (LostConnection, NoAnswer)


def message_by(way: Way) -> TellingMessage:
    return TellingMessage({"properties": {"delivery_tag": "a tag", "delivery_info": {}}}, channel=way)  # type: ignore[no-untyped-call]


def test_a_message_that_arrives_says_nothing(tmp_path: Path) -> None:
    """Promise: it is acknowledged or given back once, and nobody connects anew; a worker's messages are such."""
    way = Way()
    message_by(way).ack_log_error(logging.getLogger(), LOSSES)
    message_by(way).reject_log_error(logging.getLogger(), LOSSES, requeue=True)
    assert way.said == [("ack", "a tag", False), ("reject", "a tag", True)]
    worker_in(tmp_path)
    assert redis.Channel.Message is TellingMessage


@pytest.mark.parametrize("lost", [LostConnection("gone"), NoAnswer("silent")])
def test_a_message_that_can_not_be_acknowledged_tells_its_consumer(
    lost: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """Promise: what Celery would only log reaches the consumer as the end of its connection, by which it connects anew,
    and a line says why; anything else that is raised stays what it is.
    """
    with pytest.raises(BrokenPipeError) as acknowledging:
        message_by(Way(lost)).ack_log_error(logging.getLogger("told"), LOSSES)
    with pytest.raises(BrokenPipeError) as rejecting:
        message_by(Way(lost)).reject_log_error(logging.getLogger("told"), LOSSES)
    assert (acknowledging.value.__cause__, rejecting.value.__cause__) == (lost, lost)
    assert [record.message.partition(";")[0] for record in caplog.records] == [
        "A message could not be acknowledged",
        "A message could not be given back",
    ]
    with pytest.raises(KeyError):
        message_by(Way(KeyError("another"))).ack_log_error(logging.getLogger("told"), LOSSES)


def worker_in(folder: Path) -> Worker:
    return Worker(
        Settings.model_validate({"redis_url": "redis://127.0.0.1:1/0", "exchange": "simulator", "data_dir": folder})
    )


@pytest.mark.parametrize(("named", "taken"), [(["high"], "high"), ([], "high,default,low")])
def test_a_worker_takes_from_the_queues_that_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: list[str], taken: str
) -> None:
    """Promise: from these alone; without names from all, what is high first."""
    worker = worker_in(tmp_path)
    told: list[list[str]] = []
    monkeypatch.setattr(worker.app, "worker_main", told.append)
    try:
        worker.run(named)
    finally:
        gc.unfreeze()
    assert f"--queues={taken}" in told[0]


def test_a_queue_that_is_none_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Promise: a worker that would wait at a misspelt queue for ever does not start, and says which there are."""
    for name, value in {
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "EXCHANGE": "simulator",
        "DATA_DIR": str(tmp_path),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["worker", "high", "hihg"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "There is no queue hihg; there are high, default, low." in capsys.readouterr().err


@pytest.mark.parametrize("asked", [["--help"], ["-h"], ["high", "--help"]])
def test_how_it_is_called_is_told(
    asked: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Promise: who asks for help gets it, and no settings are needed for that."""
    monkeypatch.setenv("EXCHANGE", "no such exchange")
    monkeypatch.setattr(sys, "argv", ["worker", *asked])
    main()
    assert "python -m cryptomarket.worker [queue …]" in capsys.readouterr().out


class Paused(Exception):
    """The task was sent again."""


class AskedAgain:
    """A task that says for how long it was put off."""

    request: Asking

    def retry(self, *, countdown: float) -> Exception:
        return Paused(countdown)


def test_a_job_without_its_parts_comes_again_when_the_settings_say(tmp_path: Path) -> None:
    """Promise: JOB_AGAIN_S is the pause of a job whose database or bus is away."""
    given = {"redis_url": "redis://127.0.0.1:1/0", "exchange": "simulator", "data_dir": tmp_path, "job_again_s": 2.5}
    worker = Worker(Settings.model_validate(given))
    job = worker.jobs["make_partitions"]
    with pytest.raises(Paused, match=r"^2\.5$"):
        worker._run(job, AskedAgain(), SAID_MS, {}, by_hand=False, late=False)  # noqa: SLF001  as Celery would
