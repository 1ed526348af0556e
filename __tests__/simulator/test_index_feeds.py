"""The index family carries the fields that were recorded."""

import json

import pytest

from __tests__.simulator.talk import DATA, Talk


@pytest.mark.parametrize(
    ("channel", "fields"),
    [
        ("deribit_price_ranking.btc_usd", {"identifier", "enabled", "weight", "price", "original_price", "timestamp"}),
        ("deribit_price_statistics.btc_usd", {"index_name", "low24h", "high24h", "change24h", "high_volatility"}),
        ("deribit_volatility_index.btc_usd", {"timestamp", "volatility", "index_name"}),
        ("estimated_expiration_price.btc_usd", {"seconds", "price", "is_estimated"}),
    ],
)
def test_fields(talk: Talk, channel: str, fields: set[str]) -> None:
    talk.subscribe(channel)
    data = talk.notices(channel)[0]
    rows = data if isinstance(data, list) else [data]
    assert rows
    assert all(row.keys() == fields for row in rows)


@pytest.mark.parametrize(
    ("file", "channel"),
    [
        ("notif_index.jsonl", "deribit_price_index.eth_usd"),
        ("notif_markprice_options.jsonl", "markprice.options.btc_usd"),
        ("notif_platform_state.jsonl", "platform_state"),
        ("notif_quote.jsonl", "quote.BTC-PERPETUAL"),
        ("notif_chart_trades.jsonl", "chart.trades.BTC-PERPETUAL.1"),
        ("notif_perpetual.jsonl", "perpetual.BTC_USDC-PERPETUAL.100ms"),
    ],
)
def test_fields_are_the_recorded_ones(talk: Talk, file: str, channel: str) -> None:
    recorded = json.loads((DATA / file).read_text().splitlines()[0])["params"]["data"]
    talk.subscribe(channel)
    ours = talk.notices(channel)[0]
    first, second = (data[0] if isinstance(data, list) else data for data in (recorded, ours))
    assert second.keys() == first.keys()


def test_marks_of_options_are_fractions(talk: Talk) -> None:
    """Unlike the ticker, whose volatilities are in percent."""
    talk.subscribe("markprice.options.btc_usd")
    rows = talk.notices("markprice.options.btc_usd")[0]
    assert all(0.1 < row["iv"] < 3 for row in rows)


def test_a_ranking_weighs_a_hundred_percent(talk: Talk) -> None:
    talk.subscribe("deribit_price_ranking.btc_usd")
    rows = talk.notices("deribit_price_ranking.btc_usd")[0]
    assert sum(row["weight"] for row in rows) == pytest.approx(100, abs=0.1)
