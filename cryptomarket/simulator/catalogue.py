"""Which instruments the seeded market lists on a given day, and how alive each of them is."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Final

from cryptomarket.simulator.listing import Kind, Leg, Listing
from cryptomarket.simulator.names import ANCHORS

_MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
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
_QUIET_S: Final = 3600.0
"""The period of the quiet class: deep options, which on a real exchange stand still for hours."""


def spell_expiry(expiry: datetime) -> str:
    """``27DEC24``; the day has no leading zero: ``5AUG23``."""
    return f"{expiry.day}{_MONTHS[expiry.month - 1]}{expiry.year % 100:02d}"


def spell_expiry_ms(expiration_ms: int) -> str:
    """The same from milliseconds."""
    return spell_expiry(datetime.fromtimestamp(expiration_ms / 1000, UTC))


def expiries(now: datetime) -> list[tuple[datetime, str]]:
    """Coming expiries (08:00 UTC) with their settlement period: two days, two Fridays, two months, five quarters."""
    today = now.replace(hour=8, minute=0, second=0, microsecond=0)
    first = today if today > now else today + timedelta(days=1)
    found: dict[datetime, str] = {first + timedelta(days=ahead): "day" for ahead in range(2)}
    friday = first + timedelta(days=(4 - first.weekday()) % 7)
    found |= {friday + timedelta(weeks=ahead): "week" for ahead in range(2)}
    ends = [_last_friday(first, ahead) for ahead in range(18)]
    coming = [end for end in ends if end >= first]
    found |= dict.fromkeys(coming[:2], "month")
    found |= {end: "month" for end in coming if end.month % 3 == 0 and end <= first + timedelta(days=400)}
    return sorted(found.items())


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
    created_ms = int((now.replace(hour=8, minute=0, second=0, microsecond=0) - timedelta(days=30)).timestamp() * 1000)
    day = [(expiry, period) for expiry, period in expiries(now)]
    for listing in _all(day, created_ms):
        period_s = next((s for pattern, s in activity.items() if fnmatchcase(listing.name, pattern)), None)
        yield listing if period_s is None else _with_period(listing, period_s)


def _with_period(listing: Listing, period_s: float) -> Listing:
    fields = {name: getattr(listing, name) for name in listing.__slots__}
    return Listing(**{**fields, "period_s": period_s})


def _all(days: list[tuple[datetime, str]], created_ms: int) -> Iterator[Listing]:
    for base in ("btc", "eth"):
        yield _inverse_future(base, None, "perpetual", created_ms)
        for expiry, period in days:
            yield _inverse_future(base, expiry, period, created_ms)
            yield from _options(base, expiry, period, created_ms)
        yield from _combos(base, days, created_ms)
    for base in _LINEAR:
        yield _linear_future(base, None, "perpetual", created_ms)
    weekly = [(expiry, period) for expiry, period in days if period != "day"][:2]
    for base in ("btc", "eth", "sol", "xrp"):
        for expiry, period in weekly:
            yield _linear_future(base, expiry, period, created_ms)
    for pair in ("sol_usdc", "xrp_usdc"):
        for expiry, period in weekly:
            yield from _options(pair, expiry, period, created_ms)
    yield _linear_future("btcdvol", weekly[0][0], weekly[0][1], created_ms)
    for pair in _SPOT:
        yield _spot(pair, created_ms)


def _inverse_future(base: str, expiry: datetime | None, period: str, created_ms: int) -> Listing:
    coin = base.upper()
    suffix = "PERPETUAL" if expiry is None else spell_expiry(expiry)
    size = 10.0 if base == "btc" else 1.0
    return _listing(
        f"{coin}-{suffix}", "future", f"{base}_usd", coin, "USD", "USD", coin, period, True,
        {"btc": 0.5, "eth": 0.05}[base] if expiry is None else {"btc": 2.5, "eth": 0.25}[base], size, size,
        created_ms, expiry, period_s=0.2 if expiry is None else 1.0, trades_s=5.0 if expiry is None else 60.0,
    )  # fmt: skip


def _linear_future(base: str, expiry: datetime | None, period: str, created_ms: int) -> Listing:
    coin, tick = base.upper(), _tick(ANCHORS[base][0])
    suffix = "PERPETUAL" if expiry is None else spell_expiry(expiry)
    size = _lot(ANCHORS[base][0])
    return _listing(
        f"{coin}_USDC-{suffix}", "future", f"{base}_usdc", coin, "USDC", "USDC", "USDC", period, False,
        tick, size, size, created_ms, expiry,
        period_s=0.5 if base in ("btc", "eth", "sol") else 2.0, trades_s=15.0 if expiry is None else 120.0,
    )  # fmt: skip


def _options(family: str, expiry: datetime, period: str, created_ms: int) -> Iterator[Listing]:
    base, _, pair_quote = family.partition("_")
    coin, inverse = base.upper(), not pair_quote
    index = f"{base}_usd" if inverse else family
    strikes = _STRIKES[family]
    for place, strike in enumerate(strikes):
        edge = min(place, len(strikes) - 1 - place)
        for side in ("C", "P"):
            name = f"{coin if inverse else family.upper()}-{spell_expiry(expiry)}-{_spell_strike(strike)}-{side}"
            yield _listing(
                name, "option", index, coin, coin if inverse else "USDC", "USD" if inverse else "USDC",
                coin if inverse else "USDC", period, inverse,
                0.0001 if inverse else _tick(ANCHORS[base][0]) * 10, 1.0 if inverse else 10.0, 0.1 if inverse else 10.0,
                created_ms, expiry, strike=float(strike), is_call=side == "C",
                period_s=_QUIET_S if edge == 0 else 15.0 if edge < 3 else 2.0,
                trades_s=None if edge == 0 else 3600.0 if edge < 3 else 300.0,
            )  # fmt: skip


def _combos(base: str, days: list[tuple[datetime, str]], created_ms: int) -> Iterator[Listing]:
    coin, index = base.upper(), f"{base}_usd"
    size = 10.0 if base == "btc" else 1.0
    for expiry, period in days[:3]:
        day = spell_expiry(expiry)
        legs = (Leg(f"{coin}-PERPETUAL", -1), Leg(f"{coin}-{day}", 1))
        yield _listing(
            f"{coin}-FS-{day}_PERP", "future_combo", index, coin, "USD", "USD", coin, period, True,
            0.5 if base == "btc" else 0.05, size, size, created_ms, expiry, legs=legs, period_s=1.0, trades_s=600.0,
        )  # fmt: skip
    expiry, period = days[-1]
    middle = len(_STRIKES[base]) // 2
    near, far = _STRIKES[base][middle : middle + 2]
    day = spell_expiry(expiry)
    legs = (Leg(f"{coin}-{day}-{near}-C", 1), Leg(f"{coin}-{day}-{far}-C", -1))
    yield _listing(
        f"{coin}-CS-{day}-{near}_{far}", "option_combo", index, coin, coin, "USD", coin, period, True,
        0.0001, 1.0, 0.1, created_ms, expiry, legs=legs, period_s=5.0, trades_s=None,
    )  # fmt: skip


def _spot(pair: str, created_ms: int) -> Listing:
    base, quote = pair.split("_")
    price = ANCHORS[base][0] / ANCHORS[quote][0]
    return _listing(
        pair.upper(), "spot", pair, base.upper(), quote.upper(), quote.upper(), quote.upper(), "perpetual", False,
        _tick(price), _lot(ANCHORS[base][0]), _lot(ANCHORS[base][0]), created_ms, None, period_s=1.0, trades_s=30.0,
    )  # fmt: skip


def _listing(
    name: str, kind: Kind, index: str, base: str, quote: str, counter: str, settlement: str, period: str,
    inverse: bool, tick: float, contract: float, minimum: float, created_ms: int, expiry: datetime | None, *,
    strike: float | None = None, is_call: bool = False, legs: tuple[Leg, ...] = (), period_s: float,
    trades_s: float | None,
) -> Listing:  # fmt: skip
    expires = {} if expiry is None else {"expiration_ms": int(expiry.timestamp() * 1000)}
    return Listing(
        name, kind, index, base, quote, counter, settlement, period, inverse, tick, contract, minimum, created_ms,
        strike=strike, is_call=is_call, legs=legs, period_s=period_s, trades_s=trades_s, **expires,
    )  # fmt: skip


def _spell_strike(strike: float) -> str:
    """Linear options write the decimal point as ``d``: ``XRP_USDC-30JUN23-0d625-C``."""
    return str(strike).replace(".", "d")


def _tick(price: float) -> float:
    for above, tick in ((20_000, 0.5), (1_000, 0.05), (50, 0.01), (1, 0.0001), (0.01, 0.00001)):
        if price >= above:
            return tick
    return 1e-9


def _lot(price: float) -> float:
    return 0.0001 if price >= 1_000 else 0.01 if price >= 50 else 1.0
