"""Trades as the trade channels and methods show them, and the search through the past ones."""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

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


@dataclass(frozen=True, slots=True)
class Bounds:
    """Which past trades are asked for; all bounds include themselves."""

    start_ms: int | None = None
    end_ms: int | None = None
    start_seq: int | None = None
    end_seq: int | None = None


def search(
    world: World, listings: Sequence[Listing], now_us: int, bounds: Bounds, *, count: int, ascending: bool
) -> tuple[list[dict[str, Json]], bool]:
    """Past trades of some instruments in order of time: (at most ``count`` of them, whether more fit).

    Ascending starts at the oldest that fits, descending at the newest.
    """
    streams = [_numbers(world, listing, now_us, bounds, ascending=ascending) for listing in listings]
    merged = heapq.merge(*streams, key=lambda found: found[0], reverse=not ascending)
    # One more than asked tells whether there are more.
    found = list(islice(merged, count + 1))
    rows = [answer(world, listing, world.quotes.trade(listing, number)) for _, listing, number in found[:count]]
    return rows, len(found) > count


def _numbers(
    world: World, listing: Listing, now_us: int, bounds: Bounds, *, ascending: bool
) -> Iterator[tuple[int, Listing, int]]:
    quotes = world.quotes
    latest = quotes.trade_number(listing, now_us)
    if latest is None:
        return
    low, high = quotes.trade_number(listing, listing.creation_ms * 1000) or 0, latest
    if bounds.start_ms is not None:
        low = max(low, (quotes.trade_number(listing, bounds.start_ms * 1000 - 1) or 0) + 1)
    if bounds.end_ms is not None:
        high = min(high, quotes.trade_number(listing, bounds.end_ms * 1000 + 999) or 0)
    low = low if bounds.start_seq is None else max(low, bounds.start_seq)
    high = high if bounds.end_seq is None else min(high, bounds.end_seq)
    for number in range(low, high + 1) if ascending else range(high, low - 1, -1):
        yield quotes.trade_us(listing, number), listing, number
