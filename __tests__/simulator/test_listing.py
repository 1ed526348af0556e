"""The instrument object has the fields of the recorded ones."""

import json

from __tests__.simulator.talk import DATA
from cryptomarket.simulator.world import World


def test_a_perpetual_has_the_fields_that_were_recorded(world: World) -> None:
    line = (DATA / "http_get_instruments.jsonl").read_text().splitlines()[2]
    recorded = json.loads(line)["result"][0]
    ours = world.listed["BTC-PERPETUAL"].answer("open")
    missing = recorded.keys() - ours.keys() - {"base_currency_uuid", "quote_currency_uuid"}
    assert not missing
    for name in ("kind", "instrument_type", "settlement_period", "tick_size", "contract_size", "quote_currency"):
        assert ours[name] == recorded[name]


def test_an_option_has_the_fields_that_were_recorded(world: World) -> None:
    line = (DATA / "http_get_instruments.jsonl").read_text().splitlines()[3]
    recorded = json.loads(line)["result"][0]
    ours = world.listed["BTC-25DEC26-80000-C"].answer("open")
    assert not recorded.keys() - ours.keys() - {"base_currency_uuid", "quote_currency_uuid"}
    for name in ("quote_currency", "counter_currency", "option_type", "tick_size_steps", "min_trade_amount"):
        assert ours[name] == recorded[name]


def test_a_halted_instrument_is_still_active_and_a_settled_one_is_not(world: World) -> None:
    listing = world.listed["BTC-PERPETUAL"]
    assert listing.answer("halted")["is_active"] is True
    assert listing.answer("archivized")["is_active"] is False
