"""Heartbeats and idle drops at the seconds that were measured, without waiting for one of them."""

import pytest

from __tests__.simulator.talk import Talk
from cryptomarket.simulator.options import SimulatorOptions
from cryptomarket.simulator.outgoing import Close


def test_the_first_test_request_comes_after_twelve_seconds_on_an_idle_socket(talk: Talk) -> None:
    talk.result("public/set_heartbeat", interval=10)
    talk.pass_time(11.9)
    assert talk.beats() == []
    talk.pass_time(0.2)
    assert talk.beats() == ["heartbeat", "test_request"]


def test_each_further_one_follows_after_interval_and_a_bit(talk: Talk) -> None:
    talk.result("public/set_heartbeat", interval=10)
    talk.pass_time(12.1)
    for _ in range(5):
        talk.result("public/test")
        talk.inbox.clear()
        talk.pass_time(10.4)
        assert talk.beats() == []
        talk.pass_time(0.2)
        assert talk.beats()[-1:] == ["test_request"]


def test_a_busy_socket_gets_no_heartbeat_frames(talk: Talk) -> None:
    """57 s on a busy socket brought five test_requests and no heartbeat."""
    talk.result("public/set_heartbeat", interval=10)
    talk.subscribe("ticker.BTC-PERPETUAL.100ms")
    for _ in range(57):
        talk.pass_time(1)
        talk.result("public/test")
    assert talk.beats() == ["test_request"] * 5


def test_an_unanswered_test_request_closes_with_4000(talk: Talk) -> None:
    talk.result("public/set_heartbeat", interval=10)
    talk.pass_time(21.9)
    assert talk.close_code() is None
    talk.pass_time(0.2)
    assert talk.closed == Close(talk.connection.id, 4000, "heartbeat close")


def test_other_requests_do_not_answer_a_test_request(talk: Talk) -> None:
    talk.result("public/set_heartbeat", interval=10)
    talk.pass_time(12.1)
    talk.result("public/get_time")
    talk.pass_time(10)
    assert talk.close_code() == 4000


def test_the_frame_is_the_recorded_one(talk: Talk) -> None:
    talk.result("public/set_heartbeat", interval=10)
    talk.pass_time(12.1)
    texts = [getattr(order, "text", b"") for order in talk.orders]
    assert b'{"params":{"type":"test_request"},"method":"heartbeat","jsonrpc":"2.0"}' in texts


def test_a_switched_off_heartbeat_is_silent(talk: Talk) -> None:
    talk.result("public/set_heartbeat", interval=10)
    talk.result("public/disable_heartbeat")
    talk.pass_time(40)
    assert talk.beats() == []


def test_a_socket_with_nothing_to_do_is_cut_after_a_minute(talk: Talk) -> None:
    talk.pass_time(60.4)
    assert talk.close_code() is None
    talk.pass_time(0.2)
    assert talk.close_code() == 0, "the TCP connection drops without a close frame"


@pytest.mark.parametrize("method", ["public/test", "public/get_time"])
def test_any_request_puts_the_cut_off(talk: Talk, method: str) -> None:
    talk.pass_time(50)
    talk.result(method)
    talk.pass_time(50)
    assert talk.close_code() is None


def test_a_quiet_subscription_keeps_a_socket_open(talk: Talk) -> None:
    """Measured: 122 s with one quiet channel and no heartbeat."""
    talk.subscribe("announcements")
    talk.pass_time(122)
    assert talk.close_code() is None


def test_a_scale_shortens_every_heartbeat_time() -> None:
    talk = Talk(SimulatorOptions(credits=False, heartbeat_scale=0.1))
    talk.result("public/set_heartbeat", interval=10)
    talk.pass_time(1.3)
    assert talk.beats() == ["heartbeat", "test_request"]
    talk.pass_time(1.0)
    assert talk.close_code() == 4000
