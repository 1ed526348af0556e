"""What the index channels say about an index at a tick of its own."""

from collections.abc import Callable
from typing import Final

from cryptomarket.simulator.prices import black
from cryptomarket.simulator.spelling import Json
from cryptomarket.simulator.world import World

_ENABLED: Final = 6
_ESTIMATED_S: Final = 1800
"""The price of a settlement is estimated during the half hour before it."""
_SOURCES: Final = ("binance", "bitfinex", "bitstamp", "coinbase", "gemini", "itbit", "kraken", "lmax")


def price(world: World, index_name: str, at_us: int) -> Json:
    return {"timestamp": at_us // 1000, "price": world.market.index(index_name, at_us / 1e6), "index_name": index_name}


def ranking(world: World, index_name: str, at_us: int) -> Json:
    middle = world.market.index(index_name, at_us / 1e6)
    rows: list[Json] = []
    for place, source in enumerate(_SOURCES):
        offset = (world.market.chance(f"{source}/{index_name}", at_us // 1_000_000) - 0.5) * 0.0004
        exact = middle * (1 + offset)
        enabled = place < _ENABLED
        rows.append({
            "identifier": source, "enabled": enabled, "weight": round(100 / _ENABLED, 4) if enabled else 0.0,
            "price": round(exact, 4), "original_price": round(exact, 4), "timestamp": at_us // 1000 - 40 * place,
        })  # fmt: skip
    return rows


def statistics(world: World, index_name: str, at_us: int) -> Json:
    now_s = at_us / 1e6
    hourly = [world.market.index(index_name, now_s // 60 * 60 - hours * 3600) for hours in range(25)]
    current = world.market.index(index_name, now_s)
    return {
        "index_name": index_name,
        "low24h": min(*hourly, current),
        "high24h": max(*hourly, current),
        "change24h": round((current / hourly[-1] - 1) * 100, 4),
        "high_volatility": False,
    }


def volatility(world: World, index_name: str, at_us: int) -> Json:
    value = world.market.volatility(index_name, at_us / 1e6)
    return {"timestamp": at_us // 1000, "volatility": value, "index_name": index_name}


def expiration(world: World, index_name: str, at_us: int) -> Json:
    seconds = (world.turns_us - at_us) // 1_000_000
    return {
        "seconds": seconds,
        "price": world.market.index(index_name, at_us / 1e6),
        "is_estimated": seconds < _ESTIMATED_S,
    }


def markprice(world: World, index_name: str, at_us: int) -> Json:
    """Marks of the options of an index; ``iv`` is a fraction here, unlike the ticker's percent (wire)."""
    time_s = at_us / 1e6
    forwards: dict[int, float] = {}
    rows: list[Json] = []
    for listing in world.listed.values():
        if listing.kind != "option" or listing.price_index != index_name or listing.strike is None:
            continue
        forward = forwards.setdefault(listing.expiration_ms, world.market.forward(listing, time_s))
        iv = world.market.implied(listing, time_s)
        years = max(listing.expiration_ms / 1000 - time_s, 60.0) / 31_536_000
        value, _ = black(forward, listing.strike, iv, years, is_call=listing.is_call)
        mark = round(value / forward if listing.reversed else value, 4)
        rows.append({
            "timestamp": at_us // 1000, "iv": round(iv, 4), "instrument_name": listing.name, "mark_price": mark,
        })  # fmt: skip
    return rows


INDEX_FEEDS: Final[dict[str, Callable[[World, str, int], Json]]] = {
    "index": price,
    "ranking": ranking,
    "statistics": statistics,
    "volatility": volatility,
    "expiration": expiration,
    "markprice": markprice,
}
