"""Which instruments the seeded market lists on a given day, and how alive each of them is."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Final, NamedTuple

from cryptomarket.simulator.listing import NEVER_MS, Kind, Leg, Listing
from cryptomarket.simulator.names import ANCHORS

MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_LINEAR: Final = ("btc", "eth", "sol", "xrp", "ada", "algo", "avax", "bch", "bnb", "doge", "dot", "link", "ltc", "near",
                  "paxg", "trump", "trx", "uni")  # fmt: skip
_SPOT: Final = ("btc_usdc", "eth_usdc", "sol_usdc", "xrp_usdc", "steth_usdc", "paxg_usdc", "bnb_usdc", "usde_usdc",
                "btc_usdt", "eth_usdt", "usdc_usdt", "sol_usdt", "eth_btc", "steth_eth", "paxg_btc", "btc_eurr",
                "eth_eurr", "eurr_usdc", "eurr_usdt")  # fmt: skip
_STRIKES: Final = {
    "btc": tuple(range(50_000, 125_000, 5_000)),
    "eth": tuple(range(1_600, 4_200, 200)),
    "sol_usdc": (100, 120, 140, 160, 180, 200),
    "xrp_usdc": (1.625, 1.875, 2.125, 2.375, 2.625),
}
_TICKS: Final = ((20_000, 0.5), (1_000, 0.05), (50, 0.01), (1, 0.0001), (0.01, 0.00001))
_LOTS: Final = ((1_000, 0.0001), (50, 0.01))
_QUARTER: Final = 3


class _Pace(NamedTuple):
    """How often an instrument's state changes and how far apart its trades are."""

    period_s: float
    trades_s: float | None


_FAST: Final = _Pace(0.2, 5.0)
_NORMAL: Final = _Pace(1.0, 60.0)
_OPTION_PACES: Final = (_Pace(3600.0, None), _Pace(15.0, 3600.0), _Pace(15.0, 3600.0), _Pace(2.0, 300.0))
"""By distance from the last strike. The outermost are the quiet class: never traded, and still for an hour."""


class _Expiry(NamedTuple):
    """When an instrument ends (None: never) and Deribit's word for its settlement period."""

    at: datetime | None
    period: str

    @property
    def suffix(self) -> str:
        return "PERPETUAL" if self.at is None else spell_expiry(self.at)


_PERPETUAL: Final = _Expiry(None, "perpetual")


class _Terms(NamedTuple):
    """What a family of instruments has in common."""

    price_index: str
    base: str
    quote: str
    counter: str
    settlement: str
    reversed: bool
    tick_size: float
    contract_size: float
    min_trade_amount: float


def spell_expiry(expiry: datetime) -> str:
    """``27DEC24``; the day has no leading zero: ``5AUG23``."""
    return f"{expiry.day}{MONTHS[expiry.month - 1]}{expiry.year % 100:02d}"


def spell_expiry_ms(expiration_ms: int) -> str:
    """The same from milliseconds."""
    return spell_expiry(datetime.fromtimestamp(expiration_ms / 1000, UTC))


def expiries(now: datetime) -> list[_Expiry]:
    """Coming expiries (08:00 UTC) with their settlement period: two days, two Fridays, two months, five quarters."""
    today = now.replace(hour=8, minute=0, second=0, microsecond=0)
    first = today if today > now else today + timedelta(days=1)
    found: dict[datetime, str] = {first + timedelta(days=ahead): "day" for ahead in range(2)}
    friday = first + timedelta(days=(4 - first.weekday()) % 7)
    found |= {friday + timedelta(weeks=ahead): "week" for ahead in range(2)}
    ends = [_last_friday(first, ahead) for ahead in range(18)]
    coming = [end for end in ends if end >= first]
    found |= dict.fromkeys(coming[:2], "month")
    found |= {end: "month" for end in coming if end.month % _QUARTER == 0 and end <= first + timedelta(days=400)}
    return [_Expiry(*item) for item in sorted(found.items())]


def _last_friday(start: datetime, months_ahead: int) -> datetime:
    month = start.month - 1 + months_ahead
    following = start.replace(year=start.year + (month + 1) // 12, month=(month + 1) % 12 + 1, day=1)
    last_day = following - timedelta(days=1)
    return last_day - timedelta(days=(last_day.weekday() - 4) % 7)


def listings(now_ms: int, activity: Mapping[str, float]) -> Iterator[Listing]:
    """Everything that is listed at a time.

    Args:
        now_ms: Unix time, milliseconds.
        activity: instrument name pattern to period in seconds, winning over the defaults (first match).
    """
    now = datetime.fromtimestamp(now_ms / 1000, UTC)
    created = now.replace(hour=8, minute=0, second=0, microsecond=0) - timedelta(days=30)
    for listing in _all(expiries(now), int(created.timestamp() * 1000)):
        period_s = next((s for pattern, s in activity.items() if fnmatchcase(listing.name, pattern)), None)
        yield listing if period_s is None else replace(listing, period_s=period_s)


def _all(days: list[_Expiry], created_ms: int) -> Iterator[Listing]:
    for base in ("btc", "eth"):
        for expiry in (_PERPETUAL, *days):
            yield _inverse_future(base, expiry, created_ms)
        for expiry in days:
            yield from _options(base, expiry, created_ms)
        yield from _combos(base, days, created_ms)
    for base in _LINEAR:
        yield _linear_future(base, _PERPETUAL, created_ms)
    weekly = [expiry for expiry in days if expiry.period != "day"][:2]
    for expiry in weekly:
        for base in ("btc", "eth", "sol", "xrp"):
            yield _linear_future(base, expiry, created_ms)
        for pair in ("sol_usdc", "xrp_usdc"):
            yield from _options(pair, expiry, created_ms)
    yield _linear_future("btcdvol", weekly[0], created_ms)
    for pair in _SPOT:
        yield _spot(pair, created_ms)


def _inverse_future(base: str, expiry: _Expiry, created_ms: int) -> Listing:
    size, tick = (10.0, 0.5) if base == "btc" else (1.0, 0.05)
    coin, dated = base.upper(), expiry.at is not None
    terms = _Terms(f"{base}_usd", coin, "USD", "USD", coin, True, tick * 5 if dated else tick, size, size)
    return _listing(f"{coin}-{expiry.suffix}", "future", terms, expiry, created_ms, _NORMAL if dated else _FAST)


def _linear_future(base: str, expiry: _Expiry, created_ms: int) -> Listing:
    coin, price = base.upper(), ANCHORS[base][0]
    terms = _Terms(f"{base}_usdc", coin, "USDC", "USDC", "USDC", False, _tick(price), _lot(price), _lot(price))
    busy = base in ("btc", "eth", "sol")
    pace = _Pace(0.5 if busy else 2.0, 15.0 if expiry.at is None else 120.0)
    return _listing(f"{coin}_USDC-{expiry.suffix}", "future", terms, expiry, created_ms, pace)


def _options(family: str, expiry: _Expiry, created_ms: int) -> Iterator[Listing]:
    base, _, linear = family.partition("_")
    coin = base.upper()
    if linear:
        terms = _Terms(family, coin, "USDC", "USDC", "USDC", False, _tick(ANCHORS[base][0]) * 10, 10.0, 10.0)
    else:
        terms = _Terms(f"{base}_usd", coin, coin, "USD", coin, True, 0.0001, 1.0, 0.1)
    strikes = _STRIKES[family]
    for place, strike in enumerate(strikes):
        pace = _OPTION_PACES[min(place, len(strikes) - 1 - place, len(_OPTION_PACES) - 1)]
        for side in ("C", "P"):
            name = f"{family.upper()}-{expiry.suffix}-{_spell_strike(strike)}-{side}"
            listing = _listing(name, "option", terms, expiry, created_ms, pace)
            yield replace(listing, strike=float(strike), is_call=side == "C")


def _combos(base: str, days: list[_Expiry], created_ms: int) -> Iterator[Listing]:
    coin, index = base.upper(), f"{base}_usd"
    size, tick = (10.0, 0.5) if base == "btc" else (1.0, 0.05)
    future = _Terms(index, coin, "USD", "USD", coin, True, tick, size, size)
    for expiry in days[:3]:
        legs = (Leg(f"{coin}-PERPETUAL", -1), Leg(f"{coin}-{expiry.suffix}", 1))
        name = f"{coin}-FS-{expiry.suffix}_PERP"
        listing = _listing(name, "future_combo", future, expiry, created_ms, _Pace(1.0, 600.0))
        yield replace(listing, legs=legs)
    option = _Terms(index, coin, coin, "USD", coin, True, 0.0001, 1.0, 0.1)
    last, middle = days[-1], len(_STRIKES[base]) // 2
    near, far = _STRIKES[base][middle : middle + 2]
    legs = (Leg(f"{coin}-{last.suffix}-{near}-C", 1), Leg(f"{coin}-{last.suffix}-{far}-C", -1))
    name = f"{coin}-CS-{last.suffix}-{near}_{far}"
    yield replace(_listing(name, "option_combo", option, last, created_ms, _Pace(5.0, None)), legs=legs)


def _spot(pair: str, created_ms: int) -> Listing:
    base, quote = pair.split("_")
    tick, lot = _tick(ANCHORS[base][0] / ANCHORS[quote][0]), _lot(ANCHORS[base][0])
    terms = _Terms(pair, base.upper(), quote.upper(), quote.upper(), quote.upper(), False, tick, lot, lot)
    return _listing(pair.upper(), "spot", terms, _PERPETUAL, created_ms, _Pace(1.0, 30.0))


def _listing(name: str, kind: Kind, terms: _Terms, expiry: _Expiry, created_ms: int, pace: _Pace) -> Listing:
    return Listing(
        name=name, kind=kind, price_index=terms.price_index, base=terms.base, quote=terms.quote, counter=terms.counter,
        settlement=terms.settlement, settlement_period=expiry.period, reversed=terms.reversed,
        tick_size=terms.tick_size, contract_size=terms.contract_size, min_trade_amount=terms.min_trade_amount,
        creation_ms=created_ms, expiration_ms=NEVER_MS if expiry.at is None else int(expiry.at.timestamp() * 1000),
        period_s=pace.period_s, trades_s=pace.trades_s,
    )  # fmt: skip


def _spell_strike(strike: float) -> str:
    """Linear options write the decimal point as ``d``: ``XRP_USDC-30JUN23-0d625-C``."""
    return str(strike).replace(".", "d")


def _tick(price: float) -> float:
    return next((tick for above, tick in _TICKS if price >= above), 1e-9)


def _lot(price: float) -> float:
    return next((lot for above, lot in _LOTS if price >= above), 1.0)
