"""The seeded market: every price is a pure function of (seed, name, time), so it can be asked for any moment.

Same seed, same market: the live stream, the candles of last month and a restart tomorrow agree with one another.
"""

from functools import lru_cache
from math import erf, exp, log, pi, sqrt
from typing import Final, NamedTuple

from cryptomarket.simulator.listing import NEVER_MS, Listing
from cryptomarket.simulator.names import ANCHORS, split_index
from cryptomarket.simulator.noise import Wander, stream_key, unit

_YEAR_S: Final = 31_536_000.0
_DECIMALS: Final = ((100.0, 2), (0.5, 4), (0.01, 6))


class Greeks(NamedTuple):
    """Sensitivities in the units of Deribit's ticker: vega per volatility point, theta per day, rho per point."""

    delta: float
    gamma: float
    vega: float
    theta: float
    rho: float


class Market:
    """Prices of indices and instruments.

    Args:
        seed: names the market.
        origin_s: Unix time that the paths count from; 0 ties the market to the calendar, the time of the start makes
            each run begin with the same prices.

    Attributes:
        asset: (coin, Unix time in seconds) to dollars for one coin.
    """

    def __init__(self, seed: int, origin_s: float = 0.0) -> None:
        self._seed = seed
        self._origin_s = origin_s
        self._paths: dict[str, Wander] = {}
        self._keys: dict[str, int] = {}
        # Hundreds of options read the same coin at the same moments.
        self.asset = lru_cache(maxsize=8192)(self._asset)

    def key(self, name: str) -> int:
        """The key of a named stream of numbers of this market."""
        key = self._keys.get(name)
        if key is None:
            key = self._keys[name] = stream_key(self._seed, name)
        return key

    def chance(self, name: str, step: int) -> float:
        """A number in [0, 1) that belongs to a name and a step."""
        return unit(self.key(name), step)

    def _asset(self, base: str, time_s: float) -> float:
        if base == "steth":
            return self.asset("eth", time_s) * 0.998
        anchor, yearly = ANCHORS[base]
        return anchor * exp(self._wander(base, yearly).at(time_s - self._origin_s)) if yearly else anchor

    def index(self, index_name: str, time_s: float) -> float:
        """The index price, rounded as Deribit prints it."""
        base, quote = split_index(index_name) if "_" in index_name else (index_name, "usd")
        exact = self.asset(base, time_s) / self.asset(quote, time_s)
        return round(exact, decimals(exact))

    def volatility(self, index_name: str, time_s: float) -> float:
        """The volatility index in percent (``btc_usd`` or ``eth_usd``)."""
        return round(self.asset(f"{split_index(index_name)[0]}dvol", time_s), 4)

    def basis(self, listing: Listing, time_s: float) -> float:
        """How far a future stands above its index, as a fraction: carry to expiry, or a wandering premium."""
        if listing.expiration_ms == NEVER_MS:
            return self._wander(f"premium/{listing.name}", 0.05).at(time_s - self._origin_s) * 0.02
        return 0.06 * max(listing.expiration_ms / 1000 - time_s, 0.0) / _YEAR_S

    def forward(self, listing: Listing, time_s: float) -> float:
        """What an option is priced from: the index carried to the expiry."""
        return self.index(listing.price_index, time_s) * (1.0 + self.basis(listing, time_s))

    def implied(self, listing: Listing, time_s: float) -> float:
        """The option's volatility as a fraction, with a smile around the forward."""
        base = split_index(listing.price_index)[0]
        level = self.asset(f"{base}dvol", time_s) / 100 if f"{base}dvol" in ANCHORS else ANCHORS[base][1]
        distance = log((listing.strike or 1.0) / self.forward(listing, time_s))
        return level * (1.0 + 0.35 * distance * distance - 0.08 * distance)

    def option(self, listing: Listing, time_s: float) -> tuple[float, Greeks]:
        """Value in the counter currency and greeks, after Black 1976 without interest."""
        forward, volatility = self.forward(listing, time_s), self.implied(listing, time_s)
        years = max(listing.expiration_ms / 1000 - time_s, 60.0) / _YEAR_S
        return black(forward, listing.strike or 1.0, volatility, years, is_call=listing.is_call)

    def _wander(self, name: str, yearly: float) -> Wander:
        path = self._paths.get(name)
        if path is None:
            path = self._paths[name] = Wander(stream_key(self._seed, f"path/{name}"), yearly / sqrt(_YEAR_S))
        return path


def decimals(price: float) -> int:
    """Two decimals for large prices, more for small ones, as the real indices are printed."""
    return next((digits for above, digits in _DECIMALS if price >= above), 10)


def to_tick(price: float, tick: float) -> float:
    """The price on its tick grid, free of binary dust."""
    return round(round(price / tick) * tick, 10)


def black(forward: float, strike: float, volatility: float, years: float, *, is_call: bool) -> tuple[float, Greeks]:
    """Black 1976 with zero rates: (value, greeks)."""
    root = volatility * sqrt(years)
    d1 = log(forward / strike) / root + root / 2
    d2 = d1 - root
    sign = 1.0 if is_call else -1.0
    value = sign * (forward * _normal(sign * d1) - strike * _normal(sign * d2))
    density = exp(-d1 * d1 / 2) / sqrt(2 * pi)
    return value, Greeks(
        delta=round(sign * _normal(sign * d1), 5),
        gamma=round(density / (forward * root), 5),
        vega=round(forward * density * sqrt(years) / 100, 5),
        theta=round(-forward * density * volatility / (2 * sqrt(years)) / 365, 5),
        rho=round(sign * strike * years * _normal(sign * d2) / 100, 5),
    )


def _normal(x: float) -> float:
    return 0.5 * (1.0 + erf(x / sqrt(2.0)))
