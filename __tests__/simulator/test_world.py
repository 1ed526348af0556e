"""The catalogue turns over at 08:00 UTC."""

from __tests__.simulator.talk import NOW_US, Talk
from cryptomarket.simulator.world import World

HOUR_US = 3_600_000_000


def test_what_expires_leaves_and_what_is_new_comes() -> None:
    world = World(1, 0.0, {}, 1.0, NOW_US)
    assert world.turns_us == NOW_US + 4 * HOUR_US
    before = set(world.listed)
    turned = dict(world.turn(world.turns_us))
    gone = {listing.name for listing, state in turned.items() if state == "archivized"}
    assert "BTC-21NOV26" in gone
    assert gone == before - set(world.listed)
    assert "BTC-23NOV26" in world.listed
    assert world.find("BTC-21NOV26") is not None
    assert world.turns_us == NOW_US + 28 * HOUR_US


def test_expiry_is_told_and_can_be_looked_up_afterwards(talk: Talk) -> None:
    talk.subscribe("instrument.state.future.BTC", "instrument.state.any.any", "ticker.BTC-21NOV26.100ms")
    talk.now_us = NOW_US + 4 * HOUR_US - 1
    talk.inbox.clear()
    talk.take(talk.exchange.pass_time(talk.now_us + 1))
    told = talk.notices("instrument.state.future.BTC")
    assert {"timestamp": talk.now_us // 1000 + 1, "state": "archivized", "instrument_name": "BTC-21NOV26"} in told
    assert len(talk.notices("instrument.state.any.any")) > len(told)
    talk.inbox.clear()
    talk.pass_time(5)
    assert talk.notices("ticker.BTC-21NOV26.100ms") == []
    expired = talk.result("public/get_instruments", currency="BTC", kind="future", expired=True)
    assert [(item["instrument_name"], item["is_active"]) for item in expired] == [("BTC-21NOV26", False)]
