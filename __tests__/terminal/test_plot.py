"""Candles can be seen in any terminal."""

from decimal import Decimal

from cryptomarket.client import Candle
from cryptomarket.market.candles import Resolution
from cryptomarket.market.ticks import Source
from cryptomarket.terminal.plot import picture


def candle(number: int, open_: int, close: int) -> Candle:
    """One minute's."""
    return Candle(
        timestamp_ms=1_790_165_100_000 + number * 60_000, open=Decimal(open_), close=Decimal(close),
        high=Decimal(max(open_, close) + 1), low=Decimal(min(open_, close) - 1), ticks=3, source=Source.STREAM,
        is_closed=True,
    )  # fmt: skip


def test_a_picture_fits_and_names_prices_and_times() -> None:
    """Promise: no line is wider than was asked; the newest candles are shown when there are too many; times are UTC."""
    candles = [candle(number, 100 + number, 102 + number) for number in range(100)]
    text = picture(candles, Resolution.MINUTE_1, width=60, height=12, colored=False)
    lines = text.rstrip("\n").splitlines()
    assert len(lines) <= 13
    assert max(map(len, lines)) <= 60
    assert "█" in text
    assert "09-23 13:" in text
    assert "202.0" in text
    assert "\x1b" not in text
    assert "\x1b[" in picture(candles[:1], Resolution.DAY_1, width=60, height=12, colored=True)
