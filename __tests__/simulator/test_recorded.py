"""Instruments of a recording can be looked up although the day does not list them."""

from __tests__.simulator.talk import DATA, Talk
from cryptomarket.simulator.options import SimulatorOptions


def test_recorded_instruments_are_listed() -> None:
    talk = Talk(SimulatorOptions(credits=False, playback=DATA / "notif_ticker_raw_2021.jsonl"))
    found = talk.result("public/get_instrument", instrument_name="BTC-31DEC21-34000-P")
    assert (found["strike"], found["option_type"], found["kind"]) == (34_000.0, "put", "option")
    assert found["expiration_timestamp"] == 1_640_937_600_000
    names = {item["instrument_name"] for item in talk.result("public/get_instruments")}
    assert {"BTC-31DEC21-34000-P", "BTC-PERPETUAL"} <= names


def test_they_do_not_expire_while_the_recording_plays() -> None:
    talk = Talk(SimulatorOptions(credits=False, playback=DATA / "notif_ticker_raw_2021.jsonl"))
    world = talk.exchange.world
    gone = {listing.name for listing, state in world.turn(world.turns_us) if state == "archivized"}
    assert "BTC-31DEC21-34000-P" not in gone
    assert "BTC-21NOV26" in gone
