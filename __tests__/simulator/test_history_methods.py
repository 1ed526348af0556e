"""The past can be read in pages, and says the same as the live channels."""

import pytest

from __tests__.simulator.talk import NOW_US, Talk

NOW_MS = NOW_US // 1000


def test_past_trades_are_the_ones_that_the_channel_told(talk: Talk) -> None:
    talk.subscribe("trades.BTC-PERPETUAL.100ms")
    talk.pass_time(120)
    told = [trade for batch in talk.notices("trades.BTC-PERPETUAL.100ms") for trade in batch]
    assert len(told) > 10
    found = talk.result(
        "public/get_last_trades_by_instrument", instrument_name="BTC-PERPETUAL", start_seq=told[0]["trade_seq"],
        end_seq=told[-1]["trade_seq"], count=1000,
    )  # fmt: skip
    assert found == {"trades": told, "has_more": False}
    assert [trade["trade_seq"] for trade in told] == list(range(told[0]["trade_seq"], told[-1]["trade_seq"] + 1))


@pytest.mark.parametrize("sorting", ["asc", "desc"])
def test_pages_join_without_loss(talk: Talk, sorting: str) -> None:
    start, end = NOW_MS - 600_000, NOW_MS
    bounds: dict[str, object] = {"instrument_name": "BTC-PERPETUAL", "count": 1000, "sorting": sorting}
    whole = talk.result("public/get_last_trades_by_instrument", start_timestamp=start, end_timestamp=end, **bounds)
    assert not whole["has_more"]
    paged: list[dict[str, object]] = []
    limits = {"start_seq": whole["trades"][0]["trade_seq"], "end_seq": whole["trades"][-1]["trade_seq"]}
    limits = {"start_seq": min(limits.values()), "end_seq": max(limits.values())}
    while True:
        page = talk.result("public/get_last_trades_by_instrument", **{**bounds, **limits, "count": 7})
        paged += page["trades"]
        if not page["has_more"]:
            break
        last = page["trades"][-1]["trade_seq"]
        limits |= {"start_seq": last + 1} if sorting == "asc" else {"end_seq": last - 1}
    assert paged == whole["trades"]
    assert all(start <= trade["timestamp"] <= end for trade in whole["trades"])


def test_trades_of_a_currency_are_in_order_of_time(talk: Talk) -> None:
    found = talk.result("public/get_last_trades_by_currency", currency="BTC", count=100)
    times = [trade["timestamp"] for trade in found["trades"]]
    assert times == sorted(times, reverse=True)
    assert found["has_more"]


def test_a_chart_ends_with_the_running_candle(talk: Talk) -> None:
    chart = talk.result(
        "public/get_tradingview_chart_data", instrument_name="BTC-PERPETUAL", start_timestamp=NOW_MS - 3_600_000,
        end_timestamp=NOW_MS + 3_600_000, resolution="1",
    )  # fmt: skip
    assert chart["ticks"][-1] == NOW_MS // 60_000 * 60_000
    assert len(chart["ticks"]) == 61


def test_a_bound_that_cannot_be_honoured_is_refused(talk: Talk) -> None:
    error = talk.error("public/get_last_trades_by_currency", currency="BTC", start_id="1")
    assert error["data"] == {"reason": "invalid value", "param": "start_id"}
