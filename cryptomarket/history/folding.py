"""Stored prices folded into candles, piece by piece."""

from cryptomarket.history.look_repository import Look
from cryptomarket.market.candles import Candle, Folding, Resolution


def folded(
    look: Look, ticker: str, resolution: Resolution, start_ms: int, end_ms: int, *, newest_id: int
) -> list[Candle]:
    """The candles of the believed prices of [start_ms, end_ms), oldest first; those without a price are left out."""
    folding, found = Folding(resolution), list[Candle]()
    for piece in look.prices(ticker, start_ms, end_ms, newest_id=newest_id):
        found += folding.add(piece)
    return [*found, *folding.rest()]
