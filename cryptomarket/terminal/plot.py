"""Candles as a small picture of characters."""

from collections.abc import Sequence
from datetime import UTC, datetime

import plotext

from cryptomarket.client import Candle
from cryptomarket.market.candles import Resolution

_LABELS = 4


def picture(candles: Sequence[Candle], resolution: Resolution, *, width: int, height: int, colored: bool) -> str:
    """The candles beside one another, oldest first, as many as there is room for, times in UTC. A picture may round."""
    shown = candles[-max(1, width - 16) :]
    form = "%Y-%m-%d" if resolution is Resolution.DAY_1 else "%m-%d %H:%M"
    places = list(range(len(shown)))
    labelled = places[:: max(1, len(places) // _LABELS)]
    figure = plotext.figure
    figure.clear()
    figure.theme("simple")
    figure.plot_size(width, height)
    figure.draw(
        figure.candlestick(
            {
                "date": places,
                "open": [float(candle.open) for candle in shown],
                "high": [float(candle.high) for candle in shown],
                "low": [float(candle.low) for candle in shown],
                "close": [float(candle.close) for candle in shown],
            }
        )
    )
    moments = [datetime.fromtimestamp(shown[place].timestamp_ms / 1000, UTC) for place in labelled]
    figure.ruler("x").ticks(labelled, [moment.strftime(form) for moment in moments])
    told: str = figure.build().string(colorless=not colored)
    return told
