"""From the exchange's words to ours, and back: channels, ticks, instruments, states, persons. Pure.

A field is mapped only where the exchange means what our type means. What was not sent is None, never 0; the side of a
book sent as price 0 with amount 0 is empty and therefore None; so are the words `undefined` (a price that never was)
and `expired` (an estimate of what has happened). Numbers become decimals from their token, without a float between.
"""

from collections.abc import Sequence
from dataclasses import fields, replace
from decimal import Decimal

import msgspec

from cryptomarket.deribit.messages import (
    AccountHolder,
    AccountRow,
    AskedIndexPrice,
    IndexPrice,
    InstrumentRow,
    InstrumentState,
    PlatformState,
    TickerHead,
)
from cryptomarket.errors import CryptomarketError
from cryptomarket.market.instruments import Instrument, Kind
from cryptomarket.market.ticks import SUMMARY_OF_KIND, FeedState, Summary, Tick

Json = msgspec.Raw | bytes

_INDEX_CHANNEL = "deribit_price_index"
_TICKER_CHANNEL = "ticker"

# The exchange writes the year 3000 where it means "never" (perpetuals and spot pairs, public/get_instruments).
_NEVER_MS = 32503708800000

_NO_VALUE = frozenset({b'"undefined"', b'"expired"'})
_TEXTS = frozenset({"state", "instrument_name", "underlying_index"})
_NESTED = frozenset({"stats", "greeks"})
_NUMBERS = frozenset(field.name for type_ in SUMMARY_OF_KIND.values() for field in fields(type_)) - _TEXTS - _NESTED
# How many texts a ticker of each kind has. With another number some field holds a text that should be a number.
_TEXT_COUNTS = {Kind.FUTURE: 2, Kind.PERPETUAL: 2, Kind.SPOT: 2, Kind.OPTION: 3, Kind.COMBO: 2}

_KINDS = {
    "future": Kind.FUTURE,
    "option": Kind.OPTION,
    "spot": Kind.SPOT,
    "future_combo": Kind.COMBO,
    "option_combo": Kind.COMBO,
}

_FEED_STATES = {
    "open": FeedState.LIVE,
    "started": FeedState.LIVE,
    "settlement": FeedState.HALTED,
    "locked": FeedState.HALTED,
    "halted": FeedState.HALTED,
    "inactive": FeedState.HALTED,
    "delivered": FeedState.EXPIRED,
    "settled": FeedState.EXPIRED,
    "closed": FeedState.EXPIRED,
    "terminated": FeedState.EXPIRED,
    "archivized": FeedState.EXPIRED,
}

_index_decoder = msgspec.json.Decoder(IndexPrice)
_asked_decoder = msgspec.json.Decoder(AskedIndexPrice)
_head_decoder = msgspec.json.Decoder(TickerHead)
_summary_decoders = {kind: msgspec.json.Decoder(type_) for kind, type_ in SUMMARY_OF_KIND.items()}
_fields_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
_instrument_decoder = msgspec.json.Decoder(InstrumentRow)
_instruments_decoder = msgspec.json.Decoder(list[InstrumentRow])
_platform_decoder = msgspec.json.Decoder(PlatformState)
_state_decoder = msgspec.json.Decoder(InstrumentState)
_account_decoder = msgspec.json.Decoder(AccountRow)


class Unmappable(CryptomarketError):
    """The exchange's words are not what they should be, or mean something for which there is no word of ours."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def channel_of(instrument: Instrument, interval: str) -> str:
    """The channel on which ticks of an instrument come. `interval` is `raw` (needs a login) or `100ms`; indices have
    one pace, about once a second, and no interval.
    """
    if instrument.kind is Kind.INDEX:
        return f"{_INDEX_CHANNEL}.{instrument.name}"
    return f"{_TICKER_CHANNEL}.{instrument.name}.{interval}"


def ticker_of(channel: str) -> str | None:
    """The ticker that a channel is about, None for a channel that brings no ticks. Names contain no dots."""
    match channel.split("."):
        case [kind, name] if kind == _INDEX_CHANNEL and name:
            return name
        case [kind, name, interval] if kind == _TICKER_CHANNEL and name and interval:
            return name
    return None


def tick_of(channel: str, data: Json, *, instrument: Instrument, received_us: int) -> Tick:
    """The tick in `data` of a notification on `channel`, or in the result of public/ticker, about `instrument`.

    `received_us` is when the frame was read, in microseconds since the epoch. Raises Unmappable.
    """
    try:
        if channel.startswith("ticker."):
            return _instrument_tick(data, instrument, received_us)
        if channel.startswith("deribit_price_index."):
            return _index_tick(data, instrument, received_us)
    except msgspec.DecodeError as error:
        raise Unmappable(f"{channel}: {error}") from error
    raise Unmappable(f"{channel}: no channel that brings ticks")


def index_price_of(result: Json, *, name: str, sent_us: int, received_us: int) -> Tick:
    """The tick in a result of public/get_index_price, which has no time of its own: its time is when the exchange sent
    it, `sent_us` microseconds since the epoch. Raises Unmappable.
    """
    try:
        price = _asked_decoder.decode(result).index_price
    except msgspec.DecodeError as error:
        raise Unmappable(f"the price of {name}: {error}") from error
    return Tick(name, name, Kind.INDEX, price, sent_us // 1000, received_us)


def _index_tick(data: Json, instrument: Instrument, received_us: int) -> Tick:
    told = _index_decoder.decode(data)
    _check_identity(told.index_name, told.timestamp, instrument)
    if instrument.kind is not Kind.INDEX or not told.price.is_finite():
        raise Unmappable(f"{instrument.name}: not the price of an index")
    return Tick(instrument.name, instrument.name, Kind.INDEX, told.price, told.timestamp, received_us)


def _instrument_tick(data: Json, instrument: Instrument, received_us: int) -> Tick:
    kind = instrument.kind
    decoder = _summary_decoders.get(kind)
    if decoder is None:
        raise Unmappable(f"{instrument.name}: an index has no ticker")
    head = _head_decoder.decode(data)
    _check_identity(head.instrument_name, head.timestamp, instrument)
    text = bytes(data)
    # Counting is what makes the common case cheap: numbers are tokens, so texts are only the fields that we know of.
    if text.count(b':"') == _TEXT_COUNTS[kind]:
        try:
            summary = decoder.decode(text)
        except msgspec.ValidationError:
            summary = decoder.decode(_without_words(text))
    else:
        summary = decoder.decode(_without_words(text))
    summary = _without_empty_sides(summary)
    return Tick(
        instrument.name,
        head.instrument_name,
        kind,
        summary.last_price,
        head.timestamp,
        received_us,
        summary=summary,
    )


def _check_identity(name: str, timestamp_ms: int, instrument: Instrument) -> None:
    if name != instrument.name:
        raise Unmappable(f"{instrument.name}: the data is about {name[:64]!r}")
    if timestamp_ms <= 0:
        raise Unmappable(f"{instrument.name}: {timestamp_ms} is no time")


def _without_words(text: bytes) -> bytes:
    """The ticker without the fields whose value is a word for "there is none", and without nested nulls.

    Raises Unmappable where a number is written as any other text: `"NaN"` would pass for a decimal.
    """
    kept = {}
    for name, value in _fields_decoder.decode(text).items():
        token = bytes(value)
        if token in _NO_VALUE or (token == b"null" and name not in _TEXTS):
            continue
        if token.startswith(b'"') and name not in _TEXTS:
            if name in _NUMBERS:
                raise Unmappable(f"{name}: {token[:32]!r} is no number")
            continue
        if name in _NESTED:
            _check_numbers(name, value)
        kept[name] = value
    return msgspec.json.encode(kept)


def _check_numbers(name: str, value: msgspec.Raw) -> None:
    for field, nested in _fields_decoder.decode(value).items():
        if bytes(nested).startswith(b'"'):
            raise Unmappable(f"{name}.{field}: {bytes(nested)[:32]!r} is no number")


def _without_empty_sides(summary: Summary) -> Summary:
    if _is_zero(summary.best_bid_amount) and _is_zero(summary.best_bid_price):
        summary = replace(summary, best_bid_price=None, best_bid_amount=None)
    if _is_zero(summary.best_ask_amount) and _is_zero(summary.best_ask_price):
        summary = replace(summary, best_ask_price=None, best_ask_amount=None)
    return summary


def _is_zero(number: Decimal | None) -> bool:
    return number is not None and not number


def instrument_of(row: Json | InstrumentRow) -> Instrument:
    """The instrument in one row of public/get_instruments, or in the result of public/get_instrument.

    Raises Unmappable on a malformed row, and on a kind that there is no word for.
    """
    if not isinstance(row, InstrumentRow):
        try:
            row = _instrument_decoder.decode(row)
        except msgspec.DecodeError as error:
            raise Unmappable(f"an instrument: {error}") from error
    kind = _KINDS.get(row.kind)
    if kind is None:
        raise Unmappable(f"{row.instrument_name}: instruments of the kind {row.kind[:32]!r} are not known")
    if kind is Kind.FUTURE and row.settlement_period == "perpetual":
        kind = Kind.PERPETUAL
    expiration_ms = row.expiration_timestamp
    return Instrument(
        row.instrument_name,
        kind,
        base_currency=row.base_currency,
        # An option's quote currency is its coin; what its strike is in, the counter currency, is in the index's name.
        quote_currency=row.quote_currency,
        settlement_currency=row.settlement_currency,
        index_name=row.price_index,
        tick_size=row.tick_size,
        contract_size=row.contract_size,
        strike=row.strike,
        option_type=row.option_type,
        state=row.state,
        is_active=row.is_active,
        creation_ms=row.creation_timestamp,
        expiration_ms=None if expiration_ms is None or expiration_ms >= _NEVER_MS else expiration_ms,
    )


def instruments_of(result: Json) -> tuple[list[Instrument], list[str]]:
    """All instruments in the result of public/get_instruments, and why rows were left out.

    Raises Unmappable when the whole can't be read.
    """
    try:
        rows = _instruments_decoder.decode(result)
    except msgspec.DecodeError as error:
        raise Unmappable(f"instruments: {error}") from error
    instruments, reasons = [], []
    for row in rows:
        try:
            instruments.append(instrument_of(row))
        except Unmappable as unmappable:
            reasons.append(unmappable.reason)
    return instruments, reasons


def index_instrument(name: str) -> Instrument:
    """An index as an instrument. Index names are lower case on the wire and here: `btc_usd`, `drbfix-btc_usdc`."""
    name = name.lower()
    base, _, quote = name.rpartition("_")
    currency = base.rpartition("-")[2]
    return Instrument(
        name,
        Kind.INDEX,
        base_currency=currency.upper() or None,
        quote_currency=quote.upper() or None,
        index_name=name,
    )


def index_names_of(result: Json) -> list[str]:
    """The names in the result of public/get_index_price_names: texts, or objects with a `name` when extended.

    Raises Unmappable.
    """
    try:
        rows: Sequence[str | dict[str, object]] = msgspec.json.decode(result, type=list[str | dict[str, object]])
    except msgspec.DecodeError as error:
        raise Unmappable(f"index names: {error}") from error
    names = [row if isinstance(row, str) else row.get("name") for row in rows]
    return [name.lower() for name in names if isinstance(name, str)]


def platform_state_of(data: Json) -> PlatformState:
    """What `data` of platform_state says. Raises Unmappable."""
    try:
        return _platform_decoder.decode(data)
    except msgspec.DecodeError as error:
        raise Unmappable(f"platform_state: {error}") from error


def instrument_state_of(data: Json) -> InstrumentState:
    """What `data` of instrument.state says. Raises Unmappable."""
    try:
        return _state_decoder.decode(data)
    except msgspec.DecodeError as error:
        raise Unmappable(f"instrument.state: {error}") from error


def feed_state_of(state: str) -> FeedState | None:
    """What an instrument's state means for its feed; None for states that say nothing of it (`created`).

    Source: docs.deribit.com/subscriptions/market-data/instrumentstatekindcurrency
    """
    return _FEED_STATES.get(state)


def person_of(result: Json) -> AccountHolder:
    """The person in the result of private/get_account_summary (extended). Raises Unmappable."""
    try:
        row = _account_decoder.decode(result)
    except msgspec.DecodeError as error:
        raise Unmappable(f"account summary: {error}") from error
    return AccountHolder(row.id, row.email, row.username, row.system_name, row.type)
