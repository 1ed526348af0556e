"""Methods about what is listed and what it costs now."""

from typing import Final

from cryptomarket.simulator.channels import KINDS
from cryptomarket.simulator.desk import Call, Desk, Method
from cryptomarket.simulator.listing import Listing
from cryptomarket.simulator.names import CURRENCIES, INDEX_NAMES, VOLATILITY_INDEX_NAMES
from cryptomarket.simulator.params import Param
from cryptomarket.simulator.spelling import Json

CURRENCY: Final = frozenset(CURRENCIES)
_CURRENCY_OR_ANY: Final = CURRENCY | {"any"}
INSTRUMENT: Final = Param("instrument_name", required=True)
INDEX: Final = Param("index_name", required=True, choices=frozenset(INDEX_NAMES))
KIND: Final = Param("kind", choices=KINDS, default="any")
_SUMMARY_EVERY_US: Final = 2_000_000


def _get_currencies(desk: Desk, call: Call) -> Json:
    return [
        {
            "currency": code,
            "currency_long": name,
            "coin_type": "BITCOIN" if code == "BTC" else "ETHER",
            "min_confirmations": 1,
            "withdrawal_fee": 0.0001,
            "min_withdrawal_fee": 0.0001,
            "withdrawal_priorities": [],
            "in_cross_collateral_pool": code not in ("XRP", "BNB"),
            "network_fee": 0.0001,
            "network_currency": code,
            "decimals": 8 if code in ("BTC", "ETH", "SOL") else 6,
            "apr": 0.0,
        }
        for code, name in CURRENCIES.items()
    ]


def _get_index_price(desk: Desk, call: Call) -> Json:
    price = desk.world.index_now(call.params["index_name"], call.now_us)
    return {"index_price": price, "estimated_delivery_price": price}


def _get_index_price_names(desk: Desk, call: Call) -> Json:
    if not call.params["extended"]:
        return list(INDEX_NAMES)
    return [
        {
            "name": name,
            "future_combo_creation_enabled": name in VOLATILITY_INDEX_NAMES,
            "option_combo_creation_enabled": name in VOLATILITY_INDEX_NAMES,
        }
        for name in INDEX_NAMES
    ]


def _get_supported_index_names(desk: Desk, call: Call) -> Json:
    spot = {item.price_index for item in desk.world.listed.values() if item.kind == "spot"}
    derivative = {item.price_index for item in desk.world.listed.values() if item.kind != "spot"}
    wanted = {"all": set(INDEX_NAMES), "spot": spot, "derivative": derivative}[call.params["type"]]
    return [name for name in INDEX_NAMES if name in wanted]


def _get_instruments(desk: Desk, call: Call) -> Json:
    world, kind, currency = desk.world, call.params["kind"], call.params["currency"]
    found = world.expired_matching(kind, currency) if call.params["expired"] else world.matching(kind, currency)
    return [listing.answer(world.tickers.state(listing)) for listing in found]


def _get_instrument(desk: Desk, call: Call) -> Json:
    listing = desk.listing(call)
    return listing.answer(desk.world.tickers.state(listing))


def _get_contract_size(desk: Desk, call: Call) -> Json:
    return {"contract_size": desk.listing(call).contract_size}


def _ticker(desk: Desk, call: Call) -> Json:
    return desk.world.ticker_now(desk.listing(call), call.now_us)


def _get_order_book(desk: Desk, call: Call) -> Json:
    world, listing = desk.world, desk.listing(call)
    step = world.quotes.step(listing, call.now_us)
    bids, asks = world.books.sides(listing, step)
    depth = int(call.params["depth"])
    return {
        **world.tickers.at_step(listing, step),
        "change_id": world.books.change_id(listing, step),
        "bids": [[price, amount] for price, amount in list(bids.items())[:depth]],
        "asks": [[price, amount] for price, amount in list(asks.items())[:depth]],
    }


def _get_book_summary_by_currency(desk: Desk, call: Call) -> Json:
    found = desk.world.matching(call.params["kind"], call.params["currency"])
    return [_summary(desk, listing, call.now_us) for listing in found]


def _get_book_summary_by_instrument(desk: Desk, call: Call) -> Json:
    return [_summary(desk, desk.listing(call), call.now_us)]


def _summary(desk: Desk, listing: Listing, now_us: int) -> Json:
    # Republished about every two seconds (wire).
    ticker = desk.world.tickers.at_step(
        listing, desk.world.quotes.step(listing, now_us // _SUMMARY_EVERY_US * _SUMMARY_EVERY_US)
    )
    stats = ticker["stats"] if isinstance(ticker["stats"], dict) else {}
    bid, ask = _price(ticker["best_bid_price"]), _price(ticker["best_ask_price"])
    summary: dict[str, Json] = {
        "instrument_name": listing.name,
        "high": stats["high"],
        "low": stats["low"],
        "last": ticker["last_price"],
        "volume": stats["volume"],
        "price_change": stats["price_change"],
        "base_currency": listing.base,
        "quote_currency": listing.quote,
        "bid_price": bid,
        "ask_price": ask,
        "mid_price": None if bid is None or ask is None else round((bid + ask) / 2, 10),
        "mark_price": ticker["mark_price"],
        "open_interest": ticker["open_interest"],
        "estimated_delivery_price": ticker["estimated_delivery_price"],
        "creation_timestamp": now_us // 1000,
    }
    summary |= {name: stats[name] for name in ("volume_usd", "volume_notional") if name in stats}
    copied = ("current_funding", "funding_8h", "mark_iv", "interest_rate", "underlying_index", "underlying_price")
    return summary | {name: ticker[name] for name in copied if name in ticker}


def _price(side: Json) -> float | None:
    return side if isinstance(side, float) and side else None


def _get_expirations(desk: Desk, call: Call) -> Json:
    kinds = ("future", "option") if call.params["kind"] == "any" else (call.params["kind"],)
    currency = call.params["currency"]
    if currency == "grouped":
        coins = sorted({item.settlement for item in desk.world.listed.values() if item.kind in kinds})
        return {coin.lower(): _expiries(desk, kinds, coin) for coin in coins}
    return _expiries(desk, kinds, currency)


def _expiries(desk: Desk, kinds: tuple[str, ...], currency: str) -> dict[str, Json]:
    answer: dict[str, Json] = {}
    for kind in kinds:
        listed = sorted(desk.world.matching(kind, currency), key=lambda item: item.expiration_ms)
        answer[kind] = list(dict.fromkeys(item.name.split("-")[1] for item in listed))
    return answer


def _get_combos(desk: Desk, call: Call) -> Json:
    return [
        {
            "id": listing.name,
            "instrument_id": listing.instrument_id,
            "state": "active",
            "state_timestamp": listing.creation_ms,
            "creation_timestamp": listing.creation_ms,
            "legs": [{"instrument_name": leg.instrument_name, "amount": leg.amount} for leg in listing.legs],
        }
        for listing in desk.world.matching("combo", call.params["currency"])
    ]


def _get_announcements(desk: Desk, call: Call) -> Json:
    return []


def _currency(*, required: bool, any_too: bool) -> Param:
    choices = _CURRENCY_OR_ANY if any_too else CURRENCY
    default = None if required else "any"
    return Param("currency", required=required, choices=choices, default=default, wrong_choice="invalid currency")


_DEPTHS: Final = frozenset(("1", "5", "10", "20", "50", "100", "1000", "10000"))
MARKET_METHODS: Final[dict[str, Method]] = {
    "public/get_currencies": Method(_get_currencies),
    "public/get_index_price": Method(_get_index_price, (INDEX,)),
    "public/get_index_price_names": Method(_get_index_price_names, (Param("extended", "boolean", default=False),)),
    "public/get_supported_index_names": Method(
        _get_supported_index_names,
        (Param("type", choices=frozenset(("all", "spot", "derivative")), default="all"),),
    ),
    "public/get_instruments": Method(
        _get_instruments,
        (_currency(required=False, any_too=True), KIND, Param("expired", "boolean", default=False)),
    ),
    "public/get_instrument": Method(_get_instrument, (INSTRUMENT,)),
    "public/get_contract_size": Method(_get_contract_size, (INSTRUMENT,)),
    "public/ticker": Method(_ticker, (INSTRUMENT,)),
    "public/get_order_book": Method(
        _get_order_book, (INSTRUMENT, Param("depth", "integer", choices=_DEPTHS, default=5))
    ),
    "public/get_book_summary_by_currency": Method(
        _get_book_summary_by_currency, (_currency(required=True, any_too=False), KIND)
    ),
    "public/get_book_summary_by_instrument": Method(_get_book_summary_by_instrument, (INSTRUMENT,)),
    "public/get_expirations": Method(
        _get_expirations,
        (
            Param("currency", required=True, choices=_CURRENCY_OR_ANY | {"grouped"}, wrong_choice="invalid currency"),
            Param("kind", required=True, choices=frozenset(("future", "option", "any"))),
        ),
    ),
    "public/get_combos": Method(_get_combos, (_currency(required=True, any_too=True),)),
    "public/get_announcements": Method(_get_announcements),
}
