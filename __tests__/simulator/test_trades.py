"""Trades have the fields that were recorded, and ids as text."""

import json

from __tests__.simulator.talk import DATA, NOW_US
from cryptomarket.simulator import trades
from cryptomarket.simulator.spelling import Json
from cryptomarket.simulator.world import World


def newest(world: World, name: str) -> dict[str, Json]:
    found, _ = trades.search(world, [world.listed[name]], NOW_US, trades.Bounds(), count=1, ascending=False)
    return found[0]


def test_a_trade_has_the_fields_that_were_recorded(world: World) -> None:
    recorded = json.loads((DATA / "http_get_last_trades.jsonl").read_text().splitlines()[0])["result"]["trades"][0]
    ours = newest(world, "ETH-PERPETUAL")
    assert ours.keys() == recorded.keys()
    assert isinstance(ours["trade_id"], str)
    assert str(ours["trade_id"]).startswith("ETH-")


def test_an_option_trade_has_a_volatility(world: World) -> None:
    ours = newest(world, "BTC-25DEC26-80000-C")
    assert isinstance(ours["iv"], float)
    assert ours["iv"] > 10


def test_between_takes_what_came_after_and_up_to(world: World) -> None:
    listing = world.listed["BTC-PERPETUAL"]
    whole = trades.between(world, listing, NOW_US, NOW_US + 60_000_000)
    parts = [
        trade
        for second in range(60)
        for trade in trades.between(world, listing, NOW_US + second * 1_000_000, NOW_US + (second + 1) * 1_000_000)
    ]
    assert parts == whole
    assert len(whole) > 5
