"""The ticker has the fields of the recorded ones, and null where there is nothing."""

import json
from typing import Any

import pytest

from __tests__.simulator.talk import DATA, NOW_US, schema, validate
from cryptomarket.simulator.spelling import encode
from cryptomarket.simulator.world import World


def ticker(world: World, name: str) -> dict[str, Any]:
    listing = world.listed[name]
    found: dict[str, Any] = json.loads(encode(world.tickers.at_step(listing, world.quotes.step(listing, NOW_US))))
    return found


@pytest.mark.parametrize(
    ("line", "name"), [(2, "ETH-PERPETUAL"), (4, "BTC-25DEC26"), (5, "BTC-25DEC26-75000-C")]
)  # fmt: skip
def test_a_ticker_has_exactly_the_fields_that_were_recorded(world: World, line: int, name: str) -> None:
    recorded = json.loads((DATA / "notif_ticker.jsonl").read_text().splitlines()[line])["params"]["data"]
    ours = ticker(world, name)
    assert ours.keys() == recorded.keys()
    assert ours["stats"].keys() == recorded["stats"].keys()


@pytest.mark.parametrize("kind", ["future", "option", "spot", "future_combo", "option_combo"])
def test_every_ticker_of_a_kind_validates(world: World, kind: str) -> None:
    for listing in world.matching(kind, "any")[:40]:
        validate(ticker(world, listing.name), schema()["results"]["public/ticker"])


def test_an_empty_side_is_price_zero_and_amount_zero(world: World) -> None:
    """That is how the wire writes it; the documentation says null."""
    quiet = next(item for item in world.listed.values() if item.kind == "option" and item.trades_s is None)
    found = ticker(world, quiet.name)
    assert (found["best_bid_price"], found["best_bid_amount"], found["bid_iv"]) == (0.0, 0.0, 0.0)
    assert found["last_price"] is None
    assert found["stats"] == {"high": None, "low": None, "price_change": None, "volume": 0.0, "volume_usd": 0.0}


def test_every_price_lies_within_the_day(world: World) -> None:
    for listing in world.matching("future", "any"):
        found = ticker(world, listing.name)
        assert found["stats"]["low"] <= found["last_price"] <= found["stats"]["high"]
        assert found["min_price"] < found["mark_price"] < found["max_price"]


def test_forced_tickers_differ_from_one_another(world: World) -> None:
    """A load test must not send exact repeats, which a reader may rightly drop."""
    listing = world.listed["BTC-PERPETUAL"]
    texts = {encode(world.tickers.forced(listing, NOW_US, number)) for number in range(200)}
    assert len(texts) == 200
