"""Order books: whole, as differences between states, and grouped."""

from typing import Final

from cryptomarket.simulator.listing import Listing
from cryptomarket.simulator.noise import bits
from cryptomarket.simulator.prices import to_tick
from cryptomarket.simulator.spelling import Json
from cryptomarket.simulator.tickers import Tickers

Side = dict[float, float]
_LEVELS: Final = 40


class Books:
    """Books are functions of (instrument, step) too; the best level is the ticker's."""

    def __init__(self, tickers: Tickers) -> None:
        self._tickers = tickers
        self._known: dict[str, tuple[int, tuple[Side, Side]]] = {}

    def sides(self, listing: Listing, step: int) -> tuple[Side, Side]:
        """(bids, asks), price to amount, best first."""
        known = self._known.get(listing.name)
        if known is None or known[0] != step:
            known = self._known[listing.name] = (step, self._build(listing, step))
        return known[1]

    def _build(self, listing: Listing, step: int) -> tuple[Side, Side]:
        quotes = self._tickers.quotes
        mark, _ = quotes.mark(listing, quotes.begins_us(listing, step) / 1e6)
        bid, bid_amount, ask, ask_amount = self._tickers.sides(listing, step, mark)
        tick = listing.tick_size
        bids: Side = {} if bid_amount == 0.0 else {bid: bid_amount}
        asks: Side = {} if ask_amount == 0.0 else {ask: ask_amount}
        # Deeper levels stand on a fixed grid, so that a moving price leaves most of them where they are.
        gap = 2 * tick
        below, above = (bid - tick / 2) // gap * gap, -((-ask - tick / 2) // gap) * gap
        for depth in range(_LEVELS - 1):
            lower, higher = to_tick(below - depth * gap, tick), to_tick(above + depth * gap, tick)
            if bids and (lower > 0.0 or listing.kind.endswith("combo")):
                bids[lower] = self._amount(listing, lower, step)
            if asks:
                asks[higher] = self._amount(listing, higher, step)
        return bids, asks

    def change_id(self, listing: Listing, step: int) -> int:
        """Grows with each state; jumps, because the exchange's counter is shared by many instruments."""
        begins_us = self._tickers.quotes.begins_us(listing, step)
        return (begins_us // 1000 - 1_500_000_000_000) * 16 + listing.instrument_id % 16

    def snapshot(self, listing: Listing, step: int) -> dict[str, Json]:
        """The first message of a full book channel."""
        bids, asks = self.sides(listing, step)
        return {
            "timestamp": self._tickers.quotes.begins_us(listing, step) // 1000,
            "type": "snapshot",
            "change_id": self.change_id(listing, step),
            "instrument_name": listing.name,
            "bids": [["new", price, amount] for price, amount in bids.items()],
            "asks": [["new", price, amount] for price, amount in asks.items()],
        }

    def change(self, listing: Listing, before: int, step: int) -> dict[str, Json] | None:
        """What differs between two states; None when nothing does."""
        (old_bids, old_asks), (bids, asks) = self.sides(listing, before), self.sides(listing, step)
        bid_changes, ask_changes = _difference(old_bids, bids, down=True), _difference(old_asks, asks, down=False)
        if not bid_changes and not ask_changes:
            return None
        return {
            "timestamp": self._tickers.quotes.begins_us(listing, step) // 1000,
            "type": "change",
            "prev_change_id": self.change_id(listing, before),
            "change_id": self.change_id(listing, step),
            "instrument_name": listing.name,
            "bids": bid_changes,
            "asks": ask_changes,
        }

    def grouped(self, listing: Listing, step: int, group: str, depth: int) -> dict[str, Json]:
        """The whole window of a grouped book; amounts of one price group are added up."""
        bids, asks = self.sides(listing, step)
        width = None if group == "none" else int(group) * listing.tick_size
        return {
            "timestamp": self._tickers.quotes.begins_us(listing, step) // 1000,
            "change_id": self.change_id(listing, step),
            "instrument_name": listing.name,
            "bids": _levels(bids, width, depth, up=False),
            "asks": _levels(asks, width, depth, up=True),
        }

    def _amount(self, listing: Listing, price: float, step: int) -> float:
        # A level keeps its amount for some steps, and not all levels change together.
        level = round(price / listing.tick_size)
        age = (step + bits(self._tickers.quotes.market.key(listing.name), level) % 16) // 16
        return self._tickers.quotes.amount(listing, f"level/{level % 64}", age * 1_000_003 + level)


def _difference(old: Side, new: Side, *, down: bool) -> list[Json]:
    changes: list[Json] = []
    for price in sorted(old.keys() | new.keys(), reverse=down):
        before, after = old.get(price), new.get(price)
        if after is None:
            changes.append(["delete", price, 0.0])
        elif before is None:
            changes.append(["new", price, after])
        elif before != after:
            changes.append(["change", price, after])
    return changes


def _levels(side: Side, width: float | None, depth: int, *, up: bool) -> list[Json]:
    if width is None:
        return [[price, amount] for price, amount in list(side.items())[:depth]]
    grouped: Side = {}
    for price, amount in side.items():
        whole = -(-price // width) if up else price // width
        edge = round(whole * width, 10)
        grouped[edge] = round(grouped.get(edge, 0.0) + amount, 8)
    return [[price, amount] for price, amount in list(grouped.items())[:depth]]
