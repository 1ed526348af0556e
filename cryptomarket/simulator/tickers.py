"""The wide summary of an instrument: the object of ``public/ticker`` and of the ticker channels."""

from functools import lru_cache
from typing import Final

from cryptomarket.simulator.catalogue import spell_expiry_ms
from cryptomarket.simulator.listing import Listing
from cryptomarket.simulator.prices import Greeks, to_tick
from cryptomarket.simulator.quotes import Quotes
from cryptomarket.simulator.spelling import Json

_BAND: Final = 0.015
_NO_FUNDING: Final = 2e-6


class Tickers:
    """Builds tickers. ``states`` tells the trading state of an instrument, which faults may change."""

    def __init__(self, quotes: Quotes) -> None:
        self.quotes = quotes
        self.states: dict[str, str] = {}
        self._premium = lru_cache(maxsize=4096)(quotes.market.basis)
        self._templates: dict[str, tuple[int, dict[str, Json]]] = {}

    def state(self, listing: Listing) -> str:
        """``open`` unless something else was scripted."""
        return self.states.get(listing.name, "open")

    def sides(self, listing: Listing, step: int, mark: float) -> tuple[float, float, float, float]:
        """(bid price, bid amount, ask price, ask amount); 0.0 and 0.0 for a side with nobody in it (wire)."""
        quotes = self.quotes
        bid = quotes.bid_under(listing, step, mark)
        ask = quotes.ask_over(listing, step, mark)
        bid_amount = quotes.amount(listing, "bids", step)
        ask_amount = quotes.amount(listing, "asks", step)
        if listing.trades_s is None and listing.kind == "option":
            return 0.0, 0.0, ask, ask_amount
        if bid <= 0.0 and not listing.kind.endswith("combo"):
            return 0.0, 0.0, ask, ask_amount
        return bid, bid_amount, ask, ask_amount

    def at_step(self, listing: Listing, step: int) -> dict[str, Json]:
        """The ticker of a state."""
        return self.at(listing, self.quotes.begins_us(listing, step), step)

    def at(self, listing: Listing, now_us: int, step: int) -> dict[str, Json]:
        """The ticker at a moment; ``step`` varies the amounts."""
        quotes, market, time_s = self.quotes, self.quotes.market, now_us / 1e6
        mark, greeks = quotes.mark(listing, time_s)
        index = market.index(listing.price_index, time_s)
        bid, bid_amount, ask, ask_amount = self.sides(listing, step, mark)
        low, high = self._band(listing, mark)
        ticker: dict[str, Json] = {
            "timestamp": now_us // 1000,
            "state": self.state(listing),
            "stats": self._stats(listing, now_us),
            "index_price": index,
            "instrument_name": listing.name,
            "last_price": quotes.last_price(listing, now_us),
            "settlement_price": quotes.settlement(listing, now_us),
            "min_price": low,
            "max_price": high,
            "open_interest": self._open_interest(listing, now_us),
            "mark_price": mark,
            "estimated_delivery_price": index,
            "best_ask_price": ask,
            "best_bid_price": bid,
            "best_ask_amount": ask_amount,
            "best_bid_amount": bid_amount,
        }
        if listing.is_perpetual:
            ticker |= self._funding(listing, time_s)
        if greeks is not None:
            ticker |= self._option(listing, time_s, greeks, has_bid=bid > 0.0)
        return ticker

    def forced(self, listing: Listing, now_us: int, number: int) -> dict[str, Json]:
        """A cheap ticker for load tests: a whole one per second, in between only marks and sides move."""
        second = now_us // 1_000_000
        known = self._templates.get(listing.name)
        if known is None or known[0] != second:
            known = self._templates[listing.name] = (second, self.at(listing, now_us, number))
        ticker = known[1].copy()
        tick, base = listing.tick_size, ticker["mark_price"]
        mark = (base if isinstance(base, float) else 0.0) + tick * (number % 16)
        ticker["timestamp"] = now_us // 1000
        ticker["mark_price"] = round(mark, 8)
        ticker["best_bid_amount"] = round(listing.min_trade_amount * (1 + number % 5000), 4)
        return ticker

    def funding(self, listing: Listing, time_s: float) -> tuple[float, float]:
        """(current funding, funding of the last eight hours), as fractions; small premiums count as none."""
        current = self.quotes.market.basis(listing, time_s) / 3
        before = self._premium(listing, time_s // 60 * 60 - 14_400) / 3
        return (round(current, 8) if abs(current) > _NO_FUNDING else 0.0), round((current + before) / 2, 8)

    def _funding(self, listing: Listing, time_s: float) -> dict[str, Json]:
        current, eight_hours = self.funding(listing, time_s)
        return {"interest_value": current * 38.1966011250105, "current_funding": current, "funding_8h": eight_hours}

    def _option(self, listing: Listing, time_s: float, greeks: Greeks, *, has_bid: bool) -> dict[str, Json]:
        market = self.quotes.market
        volatility = market.implied(listing, time_s) * 100
        dated = f"{listing.name.split('-')[0]}-{spell_expiry_ms(listing.expiration_ms)}"
        return {
            "greeks": greeks._asdict(),
            "interest_rate": 0.0,
            "mark_iv": round(volatility, 2),
            "bid_iv": round(volatility * 0.98, 2) if has_bid else 0.0,
            "ask_iv": round(volatility * 1.02, 2),
            "underlying_price": round(market.forward(listing, time_s), 4),
            "underlying_index": dated if listing.reversed else f"SYN.{dated}",
        }

    def _stats(self, listing: Listing, now_us: int) -> dict[str, Json]:
        if listing.trades_s is None:
            empty: dict[str, Json] = {"high": None, "low": None, "price_change": None, "volume": 0.0}
            return empty if listing.kind == "spot" else {**empty, "volume_usd": 0.0}
        last = self.quotes.last_price(listing, now_us) or 0.0
        high, low, first = self.quotes.day_change(listing, now_us)
        volume = self.day_volume(listing, now_us)
        index_usd = self.quotes.market.asset(listing.price_index.split("_")[0].split("-")[-1], now_us / 1e6)
        usd = volume * index_usd
        stats: dict[str, Json] = {
            "high": max(high, last),
            "low": min(low, last),
            "price_change": round((last / first - 1) * 100, 4) if first else 0.0,
            "volume": round(volume, 8),
            "volume_usd": round(usd, 2),
        }
        if listing.kind == "future":
            stats["volume_notional"] = round(usd, 2)
        return stats

    def day_volume(self, listing: Listing, now_us: int) -> float:
        """Volume of a day in base coin."""
        if listing.trades_s is None:
            return 0.0
        per_day = 86_400 / listing.trades_s * listing.min_trade_amount * 5_000
        wobble = 0.8 + 0.4 * self.quotes.market.chance(f"volume/{listing.name}", now_us // 60_000_000)
        amount = per_day * wobble
        if listing.kind.startswith("future") and listing.reversed:
            return amount / self.quotes.market.index(listing.price_index, now_us // 60_000_000 * 60.0)
        return amount

    def _open_interest(self, listing: Listing, now_us: int) -> float | int:
        if listing.kind == "spot":
            return 0.0
        chance = self.quotes.market.chance(f"interest/{listing.name}", now_us // 10_000_000)
        lots = 100_000 * (0.5 + bits_share(listing)) * (1 + 0.001 * chance)
        interest = lots * listing.min_trade_amount * (100 if listing.kind == "future" else 0.05)
        return round(interest) if listing.reversed and listing.kind == "future" else round(interest, 4)

    def _band(self, listing: Listing, mark: float) -> tuple[float, float]:
        tick, width = listing.tick_size, _BAND
        if listing.kind.endswith("combo"):
            reach = abs(mark) + 100 * tick
            return to_tick(mark - reach, tick), to_tick(mark + reach, tick)
        if listing.kind == "option":
            reach = 0.04 if listing.reversed else mark * 0.5 + 10 * tick
            return max(to_tick(mark - reach, tick), tick), to_tick(mark + reach, tick)
        return to_tick(mark * (1 - width), tick), to_tick(mark * (1 + width), tick)


def bits_share(listing: Listing) -> float:
    """A fixed fraction of an instrument, from its id."""
    return (listing.instrument_id % 1000) / 1000
