"""The codec: what is published is read back equal, to the digit, and takes its place by splicing alone."""

import json
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryptomarket.market.instruments import Kind
from cryptomarket.market.position import Position
from cryptomarket.market.ticks import (
    SUMMARY_OF_KIND,
    FeedState,
    Gap,
    GapCause,
    Greeks,
    OptionSummary,
    PerpetualSummary,
    Stats,
    Status,
    Summary,
    Tick,
)
from cryptomarket.market.wire import (
    Change,
    Publication,
    PublicationKind,
    SetChange,
    data_of,
    decode_gap,
    decode_head,
    decode_set_change,
    decode_status,
    decode_summary,
    decode_tick,
    encode,
    encode_summary,
    encode_tick,
    summary_text,
    time_of,
)

decimals = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15)
maybe = st.none() | decimals


def _published(payload: bytes, *, seq: int = 7, prev_seq: int | None = 3) -> bytes:
    return data_of(Publication(Position("e", seq), PublicationKind.TICK, "btc_usd", prev_seq, payload))


@pytest.mark.parametrize(
    ("token", "value"),
    [("8.55e4", "85500"), ("1.0002e6", "1000200"), ("3.1e-5", "0.000031"), ("83950.0", "83950"), ("2700", "2700")],
)
def test_a_price_token_keeps_its_value(token: str, value: str) -> None:
    """Promise: prices are exact decimals; `8.55e4` is 85500 and never 85500.000000001."""
    price = msgspec.json.decode(token.encode(), type=Decimal)
    assert price == Decimal(value)
    payload = encode_tick(Tick("btc_usd", "btc_usd", Kind.INDEX, price, 1, 2), published_us=3)
    assert json.loads(_published(payload), parse_float=Decimal)["price"] == Decimal(value)
    assert decode_tick(payload).price == Decimal(value)


@given(maybe)
def test_any_price_comes_back_to_the_digit(price: Decimal | None) -> None:
    """Promise: no price passes through a float on any path through the codec."""
    tick = Tick("btc_usd", "btc_usd", Kind.INDEX, price, 1, 2, 3)
    read = decode_tick(encode_tick(tick, published_us=3))
    assert read == tick
    assert str(read.price) == str(msgspec.json.decode(encode(price), type=Decimal | None))


@given(st.sampled_from(sorted(SUMMARY_OF_KIND)), maybe, maybe, maybe, st.none() | st.text(max_size=20))
def test_every_kind_comes_back_equal(
    kind: Kind, price: Decimal | None, bid: Decimal | None, volume: Decimal | None, state: str | None
) -> None:
    """Promise: the payload of a tick is the whole tick, whatever its kind."""
    summary = SUMMARY_OF_KIND[kind](state=state, last_price=price, best_bid_price=bid, stats=Stats(volume=volume))
    tick = Tick("X", "X", kind, price, 1, 2, 3, summary)
    assert decode_tick(encode_tick(tick, published_us=3)) == tick
    assert decode_summary(kind, encode_summary(summary)) == summary


@given(st.sampled_from(sorted(SUMMARY_OF_KIND)), maybe, maybe, st.none() | st.text(max_size=20))
def test_a_summary_is_found_in_a_payload_as_it_would_be_spelled(
    kind: Kind, price: Decimal | None, bid: Decimal | None, text: str | None
) -> None:
    """Promise: what is stored of a summary without decoding it is what encoding it would have given; and the head is
    the whole tick but for it, whatever a name may contain.
    """
    summary = SUMMARY_OF_KIND[kind](state=text, last_price=price, best_bid_price=bid)
    tick = Tick('"published_us":1,{', text or "X", kind, price, 1, 2, 3, summary)
    payload = encode_tick(tick, published_us=3)
    found = summary_text(payload)
    assert found is not None
    assert found.encode() == encode_summary(summary)
    assert decode_head(payload) == tick._replace(summary=None)


@pytest.mark.parametrize("kind", sorted(SUMMARY_OF_KIND))
def test_what_was_not_sent_is_null_in_the_payload(kind: Kind) -> None:
    """Promise: a summary that was decoded from almost nothing is published with every field of its kind."""
    sparse = decode_summary(kind, b'{"last_price":1,"stats":{"high":2}}')
    whole = SUMMARY_OF_KIND[kind](last_price=Decimal(1), stats=Stats(high=Decimal(2)))
    assert encode_summary(sparse) == encode_summary(whole)
    assert json.loads(encode_summary(sparse))["stats"]["volume_usd"] is None


def test_an_index_has_no_summary_to_be_found() -> None:
    """Promise: what was never sent is not stored as something empty."""
    assert summary_text(encode_tick(Tick("i", "i", Kind.INDEX, Decimal(1), 1, 2), published_us=3)) is None


def test_an_option_carries_all_its_fields_and_none_of_a_perpetual() -> None:
    """Promise: every field of the kind is present, null when not sent; fields of other kinds are absent."""
    option = OptionSummary(mark_iv=Decimal("55.1"), greeks=Greeks(delta=Decimal("0.5")))
    told = json.loads(encode_tick(Tick("O", "O", Kind.OPTION, None, 1, 2, summary=option), published_us=3))
    assert told["price"] is None
    assert told["bid_iv"] is None
    assert told["greeks"] == {"delta": 0.5, "gamma": None, "vega": None, "theta": None, "rho": None}
    assert not {"funding_8h", "current_funding", "interest_value"} & told.keys()
    perpetual = json.loads(encode_summary(PerpetualSummary()))
    assert {"funding_8h", "current_funding", "interest_value"} <= perpetual.keys()
    assert not {"greeks", "mark_iv"} & perpetual.keys()


def test_the_place_is_put_in_front_of_the_payload_on_one_line() -> None:
    """Promise: one JSON line with `seq` and `prev_seq`, null at the start of the epoch."""
    payload = encode_tick(Tick("btc_usd", "btc_usd", Kind.INDEX, Decimal("1.5"), 1, 2), published_us=3)
    told = json.loads(_published(payload))
    assert (told["seq"], told["prev_seq"], told["price"], told["published_us"]) == (7, 3, 1.5, 3)
    assert json.loads(_published(payload, prev_seq=None))["prev_seq"] is None
    assert b"\n" not in _published(payload)


@given(st.text(max_size=30))
def test_no_text_forges_a_line(reason: str) -> None:
    """Promise: whatever the exchange writes, an event's data stays one line."""
    payload = encode(Status("btc_usd", FeedState.STALE, 1, 2, reason))
    assert not {b"\n", b"\r"} & {payload[at : at + 1] for at in range(len(payload))}
    assert decode_status(payload).reason == reason


def test_gaps_statuses_and_set_changes_come_back_equal() -> None:
    """Promise: what is no tick is carried as exactly."""
    gap = Gap("btc_usd", 1, 2, GapCause.RESTART)
    assert decode_gap(encode(gap)) == gap
    change = SetChange("u", Change.SUBSCRIBED, "btc_usd", ("btc_usd", "eth_usd"), 4)
    assert decode_set_change(encode(change)) == change


@pytest.mark.parametrize("payload", [b"", b"{}", b"[]", b'{"ticker":1}', b'{"ticker":"x","kind":"nonsense"}'])
def test_what_is_no_tick_is_refused(payload: bytes) -> None:
    """Promise: a broken payload is an error to who reads it, never a made-up tick."""
    with pytest.raises(msgspec.DecodeError):
        decode_tick(payload)


def test_an_index_has_no_summary() -> None:
    """Promise: an index's tick is its price and nothing of an instrument."""
    told = json.loads(encode_tick(Tick("btc_usd", "btc_usd", Kind.INDEX, Decimal(1), 1, 2), published_us=3))
    assert not set(Summary.__dataclass_fields__) & told.keys()


def test_the_time_of_a_payload_is_found_without_decoding_it() -> None:
    """Promise: what is lost undecoded still tells when it was, and no name can forge it."""
    status = encode(Status('"since_ms":1', FeedState.STALE, 500))
    gap = encode(Gap("a", 1, 900, GapCause.DISCONNECT))
    tick = encode_tick(Tick('"timestamp":3', "x", Kind.INDEX, None, 42, 1), published_us=7)
    assert time_of(PublicationKind.TICK, tick) == 42
    assert time_of(PublicationKind.STATUS, status) == 500
    assert time_of(PublicationKind.GAP, gap) == 900
    assert time_of(PublicationKind.TICK, b"{}") is None
    assert time_of(PublicationKind.SET_CHANGE, tick) is None
