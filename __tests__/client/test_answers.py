"""Answers come as values whose names carry their units."""

from decimal import Decimal

import msgspec
from dirty_equals import IsPartialDict

from cryptomarket.client.answers import Candles, TicksPage, records

PAGE = """{"ticker":"BTC-PERPETUAL","start":1,"end":9,"bounds":"[start,end)","count":1,"complete":false,
"next_cursor":"c","gaps":[{"ticker":"BTC-PERPETUAL","from_ms":2,"to_ms":3,"cause":"restart","state":"recorded","seq":4,"prev_seq":null}],
"data":[{"source":"stream","position":"e-5","seq":5,"prev_seq":4,"ticker":"BTC-PERPETUAL","instrument_name":
"BTC-PERPETUAL","kind":"perpetual","price":85500.50,"timestamp":3,"received_us":4,"published_us":5,"stats":{"high":9}}]}"""
CANDLES = """{"ticker":"btc_usd","resolution":"1D","start":1,"end":9,"bounds":"[start,end)","count":1,"complete":true,
"gaps":[],"data":[{"timestamp":0,"open":1.10,"high":4,"low":1,"close":2,"ticks":3,"closed":true,"revised":true,
"source":"backfill","synthetic":false}]}"""


def test_a_page_tells_what_is_missing() -> None:
    """Promise: `complete`, gaps and rows with their positions come typed, prices exact."""
    page = msgspec.json.decode(PAGE, type=TicksPage)
    assert (page.start_ms, page.end_ms, page.complete, page.next_cursor) == (1, 9, False, "c")
    assert [(gap.from_ms, gap.to_ms, gap.cause) for gap in page.gaps] == [(2, 3, "restart")]
    assert [(tick.position, str(tick.price)) for tick in page.ticks] == [("e-5", "85500.50")]


def test_rows_are_flat_where_a_table_is_wanted() -> None:
    """Promise: `records` gives what pandas takes, named as exports name it, and leaves decimals as they are."""
    [row] = records(msgspec.json.decode(PAGE, type=TicksPage).ticks)
    told = {"kind": "perpetual", "price": Decimal("85500.5"), "timestamp_ms": 3, "stats.high": 9, "stats.low": None}
    assert row == IsPartialDict(told)
    candles = msgspec.json.decode(CANDLES, type=Candles)
    assert candles.complete
    [candle] = candles.candles
    assert candle.is_closed
    assert candle.is_revised
    assert records(candles.candles)[0] == IsPartialDict(
        {"timestamp_ms": 0, "open": Decimal("1.1"), "source": "backfill"}
    )
