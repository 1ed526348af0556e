"""Trades as the trade channels and methods show them, and the search through the past ones."""

from cryptomarket.simulator.listing import Listing
from cryptomarket.simulator.quotes import Trade
from cryptomarket.simulator.spelling import Json
from cryptomarket.simulator.world import World


def answer(world: World, listing: Listing, trade: Trade) -> dict[str, Json]:
    """One trade (docs.deribit.com/subscriptions/trades)."""
    found: dict[str, Json] = {
        "timestamp": trade.timestamp_ms,
        "price": trade.price,
        "amount": trade.amount,
        "direction": "buy" if trade.is_buy else "sell",
        "index_price": trade.index_price,
        "instrument_name": listing.name,
        "trade_seq": trade.sequence,
        "mark_price": trade.mark_price,
        "tick_direction": trade.tick_direction,
        "trade_id": trade_id(listing, trade.sequence),
    }
    if listing.kind != "spot":
        found["contracts"] = round(trade.amount / listing.contract_size, 4)
    if listing.kind == "option":
        found["iv"] = round(world.market.implied(listing, trade.timestamp_ms / 1000) * 100, 2)
    return found


def trade_id(listing: Listing, sequence: int) -> str:
    """Trade ids are strings; those outside the BTC family carry their currency (wire)."""
    number = sequence * 1_000 + listing.instrument_id % 1_000
    return str(number) if listing.settlement == "BTC" else f"{listing.settlement}-{number}"


def between(world: World, listing: Listing, after_us: int, until_us: int) -> list[dict[str, Json]]:
    """Trades with ``after < time <= until``, oldest first."""
    first, last = world.quotes.trade_number(listing, after_us), world.quotes.trade_number(listing, until_us)
    if first is None or last is None:
        return []
    return [answer(world, listing, world.quotes.trade(listing, number)) for number in range(first + 1, last + 1)]


def search(
    world: World, listing: Listing, now_us: int, *, count: int, ascending: bool, start_ms: int | None = None,
    end_ms: int | None = None, start_seq: int | None = None, end_seq: int | None = None,
) -> tuple[list[dict[str, Json]], bool]:  # fmt: skip
    """Past trades within bounds, all inclusive: (at most ``count`` of them, whether more fit).

    Ascending starts at the oldest that fits, descending at the newest.
    """
    quotes = world.quotes
    latest = quotes.trade_number(listing, now_us)
    if latest is None:
        return [], False
    born = quotes.trade_number(listing, listing.creation_ms * 1000) or 0
    low, high = born, latest
    if start_ms is not None:
        low = max(low, (quotes.trade_number(listing, start_ms * 1000 - 1) or 0) + 1)
    if end_ms is not None:
        high = min(high, quotes.trade_number(listing, end_ms * 1000 + 999) or 0)
    low, high = max(low, start_seq or low), min(high, high if end_seq is None else end_seq)
    if high < low:
        return [], False
    first, last = (low, min(high, low + count - 1)) if ascending else (max(low, high - count + 1), high)
    numbers = range(first, last + 1) if ascending else range(last, first - 1, -1)
    found = [answer(world, listing, quotes.trade(listing, number)) for number in numbers]
    return found, last < high if ascending else first > low
