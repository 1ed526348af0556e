"""Celery's application, made of the settings."""

import pytest

from cryptomarket.broker import Address, alive_file, broker_app
from cryptomarket.errors import StartRefused
from cryptomarket.settings import Settings


def test_nothing_of_it_keeps_what_it_should_not() -> None:
    """Promise: JSON alone, no results, late acknowledgement, one message at a time, and names of our own in Redis."""
    conf = broker_app(Settings.model_validate({"redis_url": "redis://127.0.0.1:1/0", "exchange": "simulator"})).conf
    assert (list(conf.accept_content), conf.task_serializer, conf.result_backend) == (["json"], "json", None)
    assert (conf.task_acks_late, conf.task_reject_on_worker_lost, conf.worker_prefetch_multiplier) == (True, True, 1)
    assert conf.broker_transport_options["global_keyprefix"] == "cryptomarket:simulator:celery:"
    assert conf.redbeat_key_prefix == "cryptomarket:simulator:beat:"
    assert [queue.name for queue in conf.task_queues] == ["high", "default", "low"]
    assert conf.beat_schedule["collect_index_prices"]["options"] == {"queue": "high", "expires": 60.0}
    assert "remove_old_ticks" not in conf.beat_schedule
    assert alive_file(Settings(), "beat").name == "beat.alive"


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
