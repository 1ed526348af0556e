"""Celery's application, made of the settings."""

import re
from pathlib import Path

import pytest

from cryptomarket.broker import CHILD_KB, RESTORE_S, TASKS_PER_CHILD, Address, alive_file, beat_app, broker_app
from cryptomarket.errors import StartRefused
from cryptomarket.jobs.job import LONGEST_PAUSE_S
from cryptomarket.roles.timetable import jobs_in
from cryptomarket.settings import Settings


def test_nothing_of_it_keeps_what_it_should_not() -> None:
    """Promise: JSON alone, no results, late acknowledgement, one message at a time, and names of our own in Redis."""
    conf = broker_app(Settings.model_validate({"redis_url": "redis://127.0.0.1:1/0", "exchange": "simulator"})).conf
    assert (list(conf.accept_content), conf.task_serializer, conf.result_backend) == (["json"], "json", None)
    assert (conf.task_acks_late, conf.task_reject_on_worker_lost, conf.worker_prefetch_multiplier) == (True, True, 1)
    assert (conf.worker_max_tasks_per_child, conf.worker_max_memory_per_child) == (TASKS_PER_CHILD, CHILD_KB)
    assert conf.broker_transport_options["global_keyprefix"] == "cryptomarket:simulator:celery:"
    assert [queue.name for queue in conf.task_queues] == ["high", "default", "low"]
    assert conf.beat_schedule["collect_index_prices"]["options"]["queue"] == "high"
    assert "remove_old_ticks" not in conf.beat_schedule
    assert alive_file(Settings(), "beat").name == "beat.alive"


@pytest.mark.parametrize(
    "scheme", ["redis://me:{}@127.0.0.1:1/0", "redis+sentinel://me:{}@127.0.0.1:1,127.0.0.1:2/main/0"]
)
def test_what_a_worker_tells_of_itself_has_no_password(scheme: str) -> None:
    """Promise: what Flower asks a worker for, and shows, is without the password of Redis; a beat, which tells nobody,
    has it, and keeps its own below our prefix.
    """
    word = "redis-password-of-tests"
    settings = Settings.model_validate({"redis_url": scheme.format(word), "exchange": "simulator"})
    assert word not in repr(broker_app(settings).conf.table(with_defaults=True))
    beat = beat_app(settings).conf
    assert word in repr((beat.redbeat_redis_url, beat.redbeat_redis_options))
    assert beat.redbeat_key_prefix == "cryptomarket:simulator:beat:"


def test_a_message_outlives_a_dead_worker() -> None:
    """Promise: no message has expired when Redis gives it out again, whichever try its worker has died in."""
    settings = Settings.model_validate({"redis_url": "redis://127.0.0.1:1/0", "exchange": "simulator"})
    lines, jobs = broker_app(settings).conf.beat_schedule, jobs_in(settings)
    assert set(lines) == {name for name, job in jobs.items() if job.period_s}
    for name, line in lines.items():
        job = jobs[name]
        last_try_s = job.expiry_s + job.retries * (job.end_s + LONGEST_PAUSE_S)
        assert line["options"]["expires"] > last_try_s + settings.job_dead_s + RESTORE_S


def test_a_process_that_grows_is_replaced_before_its_container_is_full() -> None:
    """Promise: Celery's bound of a process is below what compose gives to the whole worker, with room for the first."""
    compose = (Path(__file__).parents[1] / "docker-compose.yml").read_text()
    limit = re.search(r"^  worker:\n(?:    .*\n|\n)*?.*memory: (\d+)m", compose, re.MULTILINE)
    assert limit is not None
    assert (int(limit[1]) - 25) * 1024 > CHILD_KB


def test_an_address_in_their_words() -> None:
    """Promise: a socket and a Sentinel are found by Celery and by redbeat where the gateway finds them."""
    plain = Address(Settings.model_validate({"redis_url": "unix:///run/redis.sock"}))
    assert (plain.celery_url, plain.beat_url) == ("redis+socket:///run/redis.sock", "unix:///run/redis.sock")
    watched = Address(Settings.model_validate({"redis_url": "redis+sentinel://me:word@one,two:7/main/3"}))
    assert watched.celery_url == "sentinel://me:word@one:26379/3;sentinel://me:word@two:7/3"
    assert watched.transport_options == {"master_name": "main"}
    assert watched.beat_options["sentinels"] == [("one", 26379), ("two", 7)]
    assert watched.beat_options["password"] == "word"


def test_there_is_no_worker_without_redis() -> None:
    """Promise: a worker that could wait at nothing refuses to start, with a sentence."""
    with pytest.raises(StartRefused, match="REDIS_URL"):
        Address(Settings())


def test_which_exchange_it_is_was_said() -> None:
    """Promise: nobody runs the simulator's jobs for having forgotten to say which exchange he means."""
    with pytest.raises(StartRefused, match="EXCHANGE that was said"):
        broker_app(Settings.model_validate({"redis_url": "redis://127.0.0.1:1/0"}))
