"""Notifications in trouble: silent, doubled, swapped, broken; replies and heartbeats go on."""

import json
from typing import Literal

import pytest

from __tests__.simulator.talk import Talk
from cryptomarket.simulator.faults import Fault
from cryptomarket.simulator.options import SimulatorOptions
from cryptomarket.simulator.outgoing import SendBytes

CHANNEL = "deribit_price_index.btc_usd"


def with_fault(fault: Fault, seconds: float = 10) -> Talk:
    talk = Talk()
    talk.subscribe(CHANNEL, "deribit_price_index.eth_usd")
    talk.inbox.clear()
    talk.exchange.faults.add([fault], talk.now_us)
    talk.pass_time(seconds)
    return talk


def test_silence_stops_the_chosen_channels_and_nothing_else() -> None:
    talk = with_fault(Fault(kind="silence", channels=(CHANNEL,)))
    assert talk.notices(CHANNEL) == []
    assert len(talk.notices("deribit_price_index.eth_usd")) == 10
    assert talk.result("public/test")


def test_heartbeats_go_on_during_silence() -> None:
    talk = Talk()
    talk.subscribe(CHANNEL)
    talk.result("public/set_heartbeat", interval=10)
    talk.exchange.faults.add([Fault(kind="silence")], talk.now_us)
    talk.pass_time(13)
    assert talk.beats() == ["heartbeat", "test_request"]


def test_duplicates_are_exact() -> None:
    told = with_fault(Fault(kind="duplicate")).notices(CHANNEL)
    assert len(told) == 20
    assert told[::2] == told[1::2]


def test_reordering_swaps_neighbours_and_loses_nothing() -> None:
    talk = with_fault(Fault(kind="reorder", duration_s=4.5), 10)
    times = [data["timestamp"] for data in talk.notices(CHANNEL)]
    assert times != sorted(times)
    assert len(times) == 10
    assert len(set(times)) == 10
    assert sorted(times) == [times[1], times[0], times[3], times[2], *times[4:]]


def test_what_a_reordering_held_to_its_end_is_in_the_log_too() -> None:
    """The log of what was sent has every notification, also those that left late."""
    talk = Talk(SimulatorOptions(recording=True, credits=False))
    talk.subscribe(CHANNEL)
    talk.inbox.clear()
    talk.exchange.journal.clear()
    talk.exchange.faults.add([Fault(kind="reorder", duration_s=3.5)], talk.now_us)
    talk.pass_time(6)
    log = json.loads(talk.exchange.journal.sent(CHANNEL, None, 0))["sent"]
    assert [json.loads(entry["frame"])["params"]["data"] for entry in log] == talk.notices(CHANNEL)


def test_a_connection_may_leave_while_its_notification_is_held() -> None:
    """The exchange goes on for the others."""
    talk = Talk()
    other = Talk(talk.options, shared=talk.exchange)
    for one in (talk, other):
        one.subscribe(CHANNEL)
    talk.exchange.faults.add([Fault(kind="reorder")], talk.now_us)
    talk.pass_time(1.5, [other])
    other.exchange.disconnect(other.connection.id)
    talk.inbox.clear()
    talk.pass_time(4)
    assert len(talk.notices(CHANNEL)) == 4


@pytest.mark.parametrize("shape", ["json", "type", "binary", "frame"])
def test_a_malformed_notification(shape: Literal["json", "type", "binary", "frame"]) -> None:
    talk = with_fault(Fault(kind="malformed", shape=shape, count=1, channels=(CHANNEL,)))
    if shape == "type":
        assert [type(data["price"]) for data in talk.notices(CHANNEL)[:2]] == [str, float]
    elif shape == "json":
        assert any("unreadable" in message for message in talk.inbox)
    else:
        (odd,) = [order for order in talk.orders if isinstance(order, SendBytes)]
        assert odd.breaks_protocol == (shape == "frame")
    assert len(talk.notices(CHANNEL)) >= 9


def test_only_the_chosen_connection_suffers(talk: Talk) -> None:
    other = Talk(talk.options, shared=talk.exchange)
    for one in (talk, other):
        one.subscribe(CHANNEL)
        one.inbox.clear()
    talk.exchange.faults.add([Fault(kind="silence", connections=(other.connection.id,))], talk.now_us)
    talk.pass_time(5, [other])
    assert len(talk.notices(CHANNEL)) == 5
    assert other.notices(CHANNEL) == []
