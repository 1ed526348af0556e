"""Mapping: every recorded message becomes what it means, exactly, or is refused for a written reason."""

import dataclasses
import json
from collections.abc import Iterator
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from __tests__.deribit.samples import lines, numbered
from cryptomarket.deribit.mapping import (
    Unmappable,
    channel_of,
    feed_state_of,
    index_instrument,
    index_names_of,
    instrument_of,
    instrument_state_of,
    instruments_of,
    person_of,
    platform_state_of,
    tick_of,
    ticker_of,
)
from cryptomarket.market.instruments import Instrument, Kind
from cryptomarket.market.ticks import (
    FeedState,
    Greeks,
    OptionSummary,
    PerpetualSummary,
    Stats,
    Summary,
    Tick,
)

Fields = dict[str, object]

# Every kind of channel that is recorded and brings no ticks, and why.
REFUSED = {
    "book": "depth; best bid and ask come with the ticker",
    "quote": "best bid and ask alone; they come with the ticker",
    "trades": "single trades; a tick is the state of an instrument",
    "perpetual": "funding and index alone; they come with the ticker",
    "chart": "candles of the exchange; the gateway makes its own of stored ticks",
    "incremental_ticker": "fields that changed, meaningless without what came before; the ticker brings all",
    "markprice": "mark prices of all options of an index in one array; the ticker brings each",
    "deribit_price_ranking": "what the index is made of",
    "deribit_price_statistics": "a day's range of the index, without a time",
    "deribit_volatility_index": "a volatility, which is no price of what the index names",
    "estimated_expiration_price": "an estimate with seconds to go, without a time",
    "platform_state": "no instrument; read by platform_state_of",
    "instrument": "a state without a price; read by instrument_state_of",
    "user": "somebody's account",
    "announcements": "text",
}

NUMBERS = msgspec.json.Encoder(decimal_format="number")

MAPPED = {"ticker", "deribit_price_index"}

COMBO_WORDS = ("-FS-", "-CS-", "-CSR", "-STRD-", "-STRG-", "-BOX-")


def kind_of(name: str) -> Kind:
    if any(word in name for word in COMBO_WORDS):
        return Kind.COMBO
    if name.endswith("-PERPETUAL"):
        return Kind.PERPETUAL
    if name.endswith(("-C", "-P")):
        return Kind.OPTION
    return Kind.FUTURE if "-" in name else Kind.SPOT


def notifications() -> Iterator[tuple[str, str, object]]:
    for where, line in numbered("notif_*.jsonl", "docs_examples.jsonl"):
        frame = json.loads(line, parse_float=Decimal)
        if frame.get("method") == "subscription":
            yield where, frame["params"]["channel"], frame["params"]["data"]


def raw_data(where: str) -> bytes:
    name, _, number = where.partition(":")
    frame = msgspec.json.decode(lines(name)[int(number) - 1], type=dict[str, msgspec.Raw])
    return bytes(msgspec.json.decode(frame["params"], type=dict[str, msgspec.Raw])["data"])


def meant(fields: Fields, name: str) -> object:
    """What a field means, read from the JSON by other means than those under test."""
    value = fields.get(name)
    return None if value in ("undefined", "expired") else value


def field_names(value: Summary | Stats | Greeks) -> list[str]:
    return [field.name for field in dataclasses.fields(value)]


def check_against_json(tick: Tick, fields: Fields) -> None:
    summary = tick.summary
    assert summary is not None
    empty = {
        side
        for side in ("bid", "ask")
        if fields.get(f"best_{side}_price") == 0 and fields.get(f"best_{side}_amount") == 0
    }
    for name in field_names(summary):
        value = getattr(summary, name)
        if isinstance(value, Stats | Greeks):
            nested = fields.get(name) or {}
            assert isinstance(nested, dict)
            for inner in field_names(value):
                assert getattr(value, inner) == nested.get(inner), (name, inner)
        elif name.startswith("best_") and name.split("_")[1] in empty:
            assert value is None, name
        else:
            assert value == meant(fields, name), name
            assert not isinstance(value, float)


@pytest.mark.parametrize(
    ("where", "channel", "fields"), [pytest.param(*sample, id=sample[0]) for sample in notifications()]
)
def test_every_recorded_notification_is_mapped_exactly_or_refused_for_a_written_reason(
    where: str, channel: str, fields: Fields
) -> None:
    family = channel.partition(".")[0]
    data = raw_data(where)
    if family not in MAPPED:
        assert REFUSED[family]
        assert ticker_of(channel) is None
        with pytest.raises(Unmappable, match="no channel that brings ticks"):
            tick_of(channel, data, instrument=Instrument("BTC-PERPETUAL", Kind.PERPETUAL), received_us=1)
        return
    name = ticker_of(channel)
    assert name is not None
    if family == "deribit_price_index":
        tick = tick_of(channel, data, instrument=index_instrument(name), received_us=17)
        assert tick == Tick(name, name, Kind.INDEX, Decimal(str(fields["price"])), tick.timestamp_ms, 17)
    else:
        tick = tick_of(channel, data, instrument=Instrument(name, kind_of(name)), received_us=17)
        check_against_json(tick, fields)
        assert tick.price == meant(fields, "last_price")
    assert tick.timestamp_ms == fields["timestamp"]
    assert (tick.received_us, tick.published_us) == (17, None)


def test_the_reasons_are_of_channels_that_are_recorded_or_could_be() -> None:
    recorded = {channel.partition(".")[0] for _, channel, _ in notifications()}
    assert recorded - MAPPED <= REFUSED.keys()
    assert recorded >= MAPPED


def test_a_recorded_index_price() -> None:
    [line] = lines("notif_index.jsonl")
    params = json.loads(line)["params"]
    data = msgspec.Raw(json.dumps(params["data"]).encode())
    assert tick_of(params["channel"], data, instrument=index_instrument("eth_usd"), received_us=1) == Tick(
        "eth_usd", "eth_usd", Kind.INDEX, Decimal("2722.4"), 1790165113481, 1
    )


def test_a_recorded_perpetual_to_the_last_field() -> None:
    data = raw_data("notif_ticker.jsonl:2")
    instrument = Instrument("BTC_USDC-PERPETUAL", Kind.PERPETUAL)
    assert tick_of("ticker.BTC_USDC-PERPETUAL.100ms", data, instrument=instrument, received_us=1) == Tick(
        "BTC_USDC-PERPETUAL",
        "BTC_USDC-PERPETUAL",
        Kind.PERPETUAL,
        Decimal("86773.6"),
        1790133840887,
        1,
        summary=PerpetualSummary(
            state="open",
            last_price=Decimal("86773.6"),
            mark_price=Decimal("86778.14"),
            index_price=Decimal("86744.11"),
            best_bid_price=Decimal("86775.9"),
            best_bid_amount=Decimal("0.0645"),
            best_ask_price=Decimal("86778.0"),
            best_ask_amount=Decimal("0.3001"),
            min_price=Decimal("85476.4"),
            max_price=Decimal("88079.9"),
            open_interest=Decimal("459.3409"),
            settlement_price=Decimal("85380.58"),
            estimated_delivery_price=Decimal("86744.11"),
            current_funding=Decimal("1.423e-4"),
            funding_8h=Decimal("5.149e-5"),
            interest_value=Decimal("272719551.2863254"),
        ),
    )


def test_a_recorded_option_without_trades_and_without_a_book() -> None:
    data = raw_data("notif_ticker_raw_2021.jsonl:2")
    instrument = Instrument("ETH-27AUG21-4000-P", Kind.OPTION)
    summary = tick_of("ticker.ETH-27AUG21-4000-P.raw", data, instrument=instrument, received_us=1).summary
    assert isinstance(summary, OptionSummary)
    assert summary.stats == Stats()
    assert (summary.best_bid_price, summary.best_bid_amount) == (None, None)
    assert (summary.best_ask_price, summary.best_ask_amount) == (None, None)
    assert summary.bid_iv == 0
    assert summary.greeks.delta == Decimal("-0.95701")


def test_the_recorded_words_for_no_value_are_no_value() -> None:
    undefined = next(where for where, line in numbered("notif_ticker.jsonl") if b'"undefined"' in line)
    channel = json.loads(lines("notif_ticker.jsonl")[int(undefined[-1]) - 1])["params"]["channel"]
    name = ticker_of(channel) or ""
    tick = tick_of(channel, raw_data(undefined), instrument=Instrument(name, kind_of(name)), received_us=1)
    assert tick.price is None
    assert tick.summary is not None
    assert tick.summary.mark_price is not None
    expired = next(where for where, line in numbered("notif_mixed*.jsonl") if b'"expired"' in line)
    instrument = Instrument("BTC-8JUN20-8750-P", Kind.OPTION)
    summary = tick_of("ticker.BTC-8JUN20-8750-P.raw", raw_data(expired), instrument=instrument, received_us=1).summary
    assert isinstance(summary, OptionSummary)
    assert (summary.estimated_delivery_price, summary.delivery_price) == (None, Decimal("9728.65"))


def ticker(**changes: object) -> bytes:
    fields: Fields = {
        "timestamp": 1790133840887,
        "instrument_name": "BTC-PERPETUAL",
        "state": "open",
        "last_price": 1.5,
        "stats": {"high": 2.0, "low": None},
    }
    return msgspec.json.encode({**fields, **changes})


def mapped(data: bytes) -> Summary:
    instrument = Instrument("BTC-PERPETUAL", Kind.PERPETUAL)
    summary = tick_of("ticker.BTC-PERPETUAL.100ms", data, instrument=instrument, received_us=1).summary
    assert summary is not None
    return summary


def test_a_price_keeps_its_token() -> None:
    data = ticker().replace(b"1.5", b"8.55e4")
    assert str(mapped(data).last_price) == "8.55E+4"
    assert mapped(ticker().replace(b"1.5", b"85500.000000001")).last_price == Decimal("85500.000000001")
    digits = b"0.1234567890123456789012345678901234567890"
    assert str(mapped(ticker().replace(b"1.5", digits)).last_price) == digits.decode()


@pytest.mark.parametrize("side", ["bid", "ask"])
def test_only_zero_of_both_is_an_empty_side(side: str) -> None:
    price, amount = f"best_{side}_price", f"best_{side}_amount"
    for told, expected in (
        ((0.0, 0.0), (None, None)),
        ((0, 0), (None, None)),
        ((0.0, 5.0), (0, 5)),
        ((7.0, 0.0), (7, 0)),
        ((None, None), (None, None)),
        ((None, 0.0), (None, 0)),
    ):
        summary = mapped(ticker(**{price: told[0], amount: told[1]}))
        assert (getattr(summary, price), getattr(summary, amount)) == expected, told


def test_what_is_not_sent_is_none_and_what_is_new_is_left_out() -> None:
    summary = mapped(ticker(stats=None, invented={"a": [1]}, another="text"))
    assert summary.stats == Stats()
    assert summary.mark_price is None
    assert summary.last_price == Decimal("1.5")


@pytest.mark.parametrize(
    "data",
    [
        ticker(last_price="1.5"),
        ticker(last_price="NaN"),
        ticker(last_price="Infinity"),
        ticker(mark_price=True),
        ticker(mark_price=[1]),
        ticker(stats={"high": "NaN"}),
        ticker(stats=[]),
        ticker(state=5),
        ticker(timestamp="1790133840887"),
        ticker(timestamp=0),
        ticker(timestamp=-5),
        ticker(timestamp=1.5),
        ticker(instrument_name="ETH-PERPETUAL"),
        ticker(instrument_name=None),
        ticker()[:-5],
        b"[]",
        b"null",
        b"",
        b"{}",
    ],
)
def test_what_the_exchange_would_not_send_is_refused_with_a_reason(data: bytes) -> None:
    with pytest.raises(Unmappable) as refused:
        mapped(data)
    assert refused.value.reason


@pytest.mark.parametrize(
    "data",
    [
        b'{"timestamp":1,"price":null,"index_name":"btc_usd"}',
        b'{"timestamp":1,"price":"NaN","index_name":"btc_usd"}',
        b'{"timestamp":1,"index_name":"btc_usd"}',
        b'{"timestamp":1,"price":5,"index_name":"eth_usd"}',
        b'{"timestamp":0,"price":5,"index_name":"btc_usd"}',
    ],
)
def test_an_index_without_its_price_is_refused(data: bytes) -> None:
    with pytest.raises(Unmappable):
        tick_of("deribit_price_index.btc_usd", data, instrument=index_instrument("btc_usd"), received_us=1)


def test_an_index_has_no_ticker_and_an_instrument_no_index_price() -> None:
    with pytest.raises(Unmappable):
        tick_of("ticker.btc_usd.100ms", ticker(), instrument=index_instrument("btc_usd"), received_us=1)
    data = b'{"timestamp":1,"price":5,"index_name":"BTC-PERPETUAL"}'
    instrument = Instrument("BTC-PERPETUAL", Kind.PERPETUAL)
    with pytest.raises(Unmappable):
        tick_of("deribit_price_index.BTC-PERPETUAL", data, instrument=instrument, received_us=1)


@given(st.binary(max_size=300))
def test_no_bytes_whatever_raise_anything_else(data: bytes) -> None:
    for channel, instrument in (
        ("ticker.BTC-PERPETUAL.100ms", Instrument("BTC-PERPETUAL", Kind.PERPETUAL)),
        ("deribit_price_index.btc_usd", index_instrument("btc_usd")),
    ):
        with pytest.raises(Unmappable):
            tick_of(channel, data, instrument=instrument, received_us=1)


@pytest.mark.parametrize(
    ("instrument", "interval", "channel"),
    [
        (index_instrument("btc_usd"), "raw", "deribit_price_index.btc_usd"),
        (Instrument("BTC-PERPETUAL", Kind.PERPETUAL), "100ms", "ticker.BTC-PERPETUAL.100ms"),
        (Instrument("XRP_USDC-30JUN26-0d625-C", Kind.OPTION), "raw", "ticker.XRP_USDC-30JUN26-0d625-C.raw"),
    ],
)
def test_a_ticker_has_one_channel_and_is_found_again_in_it(instrument: Instrument, interval: str, channel: str) -> None:
    assert channel_of(instrument, interval) == channel
    assert ticker_of(channel) == instrument.name


@pytest.mark.parametrize("channel", ["", "ticker", "ticker.", "ticker..raw", "ticker.B", "platform_state", "a.b.c.d"])
def test_other_channels_are_of_no_ticker(channel: str) -> None:
    assert ticker_of(channel) is None


def results(*names: str) -> Iterator[dict[str, object]]:
    for line in lines(*names):
        frame = json.loads(line, parse_float=Decimal)
        result = frame.get("result", frame)
        yield from result if isinstance(result, list) else [result]


def test_every_recorded_instrument_is_what_its_name_says() -> None:
    count = 0
    for row in results("http_get_instruments*.jsonl", "http_get_instrument.jsonl"):
        instrument = instrument_of(NUMBERS.encode(row))
        assert instrument.name == row["instrument_name"]
        assert instrument.kind is kind_of(instrument.name), instrument.name
        assert instrument.tick_size == row["tick_size"]
        assert instrument.strike == row.get("strike")
        assert (instrument.expiration_ms is None) == (instrument.kind in {Kind.PERPETUAL, Kind.SPOT})
        count += 1
    assert count > 400


def test_a_row_of_an_unknown_kind_costs_only_itself() -> None:
    rows = [
        {"instrument_name": "BTC_USDC", "kind": "spot", "expiration_timestamp": 32503708800000},
        {"instrument_name": "X", "kind": "lottery"},
    ]
    instruments, reasons = instruments_of(msgspec.json.encode(rows))
    assert [(known.name, known.kind, known.expiration_ms) for known in instruments] == [("BTC_USDC", Kind.SPOT, None)]
    assert reasons == ["X: instruments of the kind 'lottery' are not known"]


@pytest.mark.parametrize("result", [b"{}", b'[{"kind":"spot"}]', b"nonsense"])
def test_instruments_that_are_none_are_refused(result: bytes) -> None:
    with pytest.raises(Unmappable):
        instruments_of(result)
    with pytest.raises(Unmappable):
        instrument_of(result)


@pytest.mark.parametrize(
    ("name", "base", "quote"),
    [("btc_usd", "BTC", "USD"), ("drbfix-btc_usdc", "BTC", "USDC"), ("STETH_ETH", "STETH", "ETH")],
)
def test_an_index_is_lower_case_and_of_two_currencies(name: str, base: str, quote: str) -> None:
    index = index_instrument(name)
    assert (index.name, index.kind, index.index_name) == (name.lower(), Kind.INDEX, name.lower())
    assert (index.base_currency, index.quote_currency) == (base, quote)


def test_index_names_come_as_texts_or_as_objects() -> None:
    assert index_names_of(b'["btc_usd","ETH_USD"]') == ["btc_usd", "eth_usd"]
    assert index_names_of(b'[{"name":"btc_usd","future_combo_creation_enabled":true},{}]') == ["btc_usd"]
    with pytest.raises(Unmappable):
        index_names_of(b'{"a":1}')


def test_recorded_platform_states() -> None:
    told = [platform_state_of(raw_data(where)) for where, _ in numbered("notif_platform_state.jsonl")]
    assert [(state.price_index, state.locked, state.maintenance) for state in told] == [("eth_usdc", False, None)]
    assert platform_state_of(b'{"maintenance":true}').maintenance is True
    with pytest.raises(Unmappable):
        platform_state_of(b'{"maintenance":"maybe"}')


def test_an_instrument_changes_its_state() -> None:
    state = instrument_state_of(b'{"timestamp":1553080940000,"state":"created","instrument_name":"BTC-22MAR19"}')
    assert (state.instrument_name, state.state, state.timestamp) == ("BTC-22MAR19", "created", 1553080940000)
    with pytest.raises(Unmappable):
        instrument_state_of(b'{"state":"created"}')


@pytest.mark.parametrize(
    ("state", "feed"),
    [
        ("open", FeedState.LIVE),
        ("halted", FeedState.HALTED),
        ("settlement", FeedState.HALTED),
        ("archivized", FeedState.EXPIRED),
        ("closed", FeedState.EXPIRED),
        ("created", None),
        ("never heard of", None),
    ],
)
def test_a_state_says_what_it_says_of_the_feed(state: str, feed: FeedState | None) -> None:
    assert feed_state_of(state) is feed


def test_the_recorded_account_is_its_holder() -> None:
    [line] = lines("ws_get_account_summary.jsonl")
    holder = person_of(bytes(msgspec.json.decode(line, type=dict[str, msgspec.Raw])["result"]))
    told = json.loads(line)["result"]
    assert (holder.deribit_id, holder.email, holder.username, holder.system_name, holder.type) == (
        10580,
        "user@example.com",
        told["username"],
        told["system_name"],
        "main",
    )
    with pytest.raises(Unmappable):
        person_of(b'{"email":"a@b"}')
