"""What an instrument looks like at a step of its own: prices, best sides, bands, volumes; trades as well.

An instrument changes in steps of its period. Its whole state is a function of (instrument, step), which is why
``public/ticker`` and the last notification of a quiet instrument say the same thing, timestamp included.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from cryptomarket.simulator.listing import Listing
from cryptomarket.simulator.noise import bits
from cryptomarket.simulator.prices import Greeks, Market, to_tick

_SETTLEMENT_S: Final = 8 * 3600
_DAY_S: Final = 86_400
_MARK_DECIMALS: Final = ((1e-5, 8), (0.01, 5), (float("inf"), 2))
_OFTEN_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Trade:
    """One trade of the seeded market."""

    sequence: int
    timestamp_ms: int
    price: float
    amount: float
    is_buy: bool
    mark_price: float
    index_price: float
    tick_direction: int


class Quotes:
    """Reads instruments off a market."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self._change = lru_cache(maxsize=4096)(self._day_change)
        self._settled = lru_cache(maxsize=4096)(self._settlement)
        self._last: dict[str, tuple[int, float]] = {}

    def step(self, listing: Listing, now_us: int) -> int:
        """The number of the state that holds at a time."""
        period_us = int(listing.period_s * 1e6)
        return (now_us - self._phase_us(listing, period_us)) // period_us

    def begins_us(self, listing: Listing, step: int) -> int:
        """When a state begins."""
        period_us = int(listing.period_s * 1e6)
        return step * period_us + self._phase_us(listing, period_us)

    def mark(self, listing: Listing, time_s: float) -> tuple[float, Greeks | None]:
        """(mark price in the instrument's own unit, greeks of an option)."""
        market = self.market
        if listing.kind == "option":
            value, greeks = market.option(listing, time_s)
            mark = value / market.forward(listing, time_s) if listing.reversed else value
            return round(mark, 6), greeks
        if listing.kind == "spot":
            return market.index(listing.price_index, time_s), None
        index = market.index(listing.price_index, time_s)
        carry = index * market.basis(listing, time_s)
        if listing.kind == "future_combo":
            return round(carry, 2), None
        if listing.kind == "option_combo":
            return round(0.02 + 0.5 * carry / index, 6), None
        digits = next(digits for below, digits in _MARK_DECIMALS if listing.tick_size < below)
        return round(index + carry, digits), None

    def ask_over(self, listing: Listing, step: int, mark: float) -> float:
        """The lowest ask: the first tick above the mark, wider where trading is thin."""
        widest = _spread_ticks(listing)
        ticks = int(self.market.chance(f"ask/{listing.name}", step) * widest)
        return to_tick((int(mark / listing.tick_size // 1) + 1 + ticks) * listing.tick_size, listing.tick_size)

    def bid_under(self, listing: Listing, step: int, mark: float) -> float:
        """The highest bid; at or below the mark."""
        widest = _spread_ticks(listing)
        ticks = int(self.market.chance(f"bid/{listing.name}", step) * widest)
        return to_tick((int(mark / listing.tick_size // 1) - ticks) * listing.tick_size, listing.tick_size)

    def amount(self, listing: Listing, salt: str, step: int) -> float:
        """A believable size: a multiple of the smallest amount, small ones more often."""
        chance = self.market.chance(f"{salt}/{listing.name}", step)
        return round(listing.min_trade_amount * (1 + int(chance**3 * 20_000)), 4)

    def trade_number(self, listing: Listing, now_us: int) -> int | None:
        """The number of the latest trade at a time, None when there never was one."""
        if listing.trades_s is None:
            return None
        gap_us = int(listing.trades_s * 1e6)
        slot = now_us // gap_us
        return slot if now_us >= self.trade_us(listing, slot) else slot - 1

    def trade(self, listing: Listing, number: int) -> Trade:
        """A trade by its number."""
        time_us = self.trade_us(listing, number)
        price, is_buy = self._trade_price(listing, number)
        before, _ = self._trade_price(listing, number - 1)
        mark, _ = self.mark(listing, time_us / 1e6)
        direction = 0 if price > before else 2 if price < before else 1 if is_buy else 3
        index = self.market.index(listing.price_index, time_us / 1e6)
        amount = self.amount(listing, "traded", number)
        return Trade(number, time_us // 1000, price, amount, is_buy, mark, index, direction)

    def last_price(self, listing: Listing, now_us: int) -> float | None:
        """The price of the latest trade; None when the instrument never traded."""
        number = self.trade_number(listing, now_us)
        if number is None:
            return None
        known = self._last.get(listing.name)
        if known is None or known[0] != number:
            known = self._last[listing.name] = (number, self._trade_price(listing, number)[0])
        return known[1]

    def day_change(self, listing: Listing, now_us: int) -> tuple[float, float, float]:
        """(high, low, first price) of the day that ends now; recomputed each minute."""
        return self._change(listing, now_us // 60_000_000)

    def settlement(self, listing: Listing, now_us: int) -> float:
        """The price of the latest daily settlement, 08:00 UTC."""
        return self._settled(listing, (now_us // 1_000_000 - _SETTLEMENT_S) // _DAY_S * _DAY_S + _SETTLEMENT_S)

    def trade_us(self, listing: Listing, slot: int) -> int:
        """When the trade of a number happens."""
        gap_us = int((listing.trades_s or 1.0) * 1e6)
        return slot * gap_us + bits(self.market.key(f"when/{listing.name}"), slot) % gap_us

    def _trade_price(self, listing: Listing, number: int) -> tuple[float, bool]:
        time_us = self.trade_us(listing, number)
        mark, _ = self.mark(listing, time_us / 1e6)
        is_buy = bits(self.market.key(f"taker/{listing.name}"), number) % 2 == 0
        step = self.step(listing, time_us)
        price = self.ask_over(listing, step, mark) if is_buy else self.bid_under(listing, step, mark)
        floor = 0.0 if listing.kind.endswith("combo") else listing.tick_size
        return max(price, floor), is_buy

    def _day_change(self, listing: Listing, minute: int) -> tuple[float, float, float]:
        prices = [
            to_tick(self.mark(listing, minute * 60.0 - hours * 3600.0)[0], listing.tick_size) for hours in range(25)
        ]
        return max(prices), min(prices), prices[-1]

    def _settlement(self, listing: Listing, settled_s: int) -> float:
        return self.mark(listing, float(settled_s))[0]

    def _phase_us(self, listing: Listing, period_us: int) -> int:
        return bits(self.market.key(f"phase/{listing.name}"), 0) % period_us // 1000 * 1000


def _spread_ticks(listing: Listing) -> int:
    return 2 if listing.trades_s is not None and listing.trades_s <= _OFTEN_S else 6
