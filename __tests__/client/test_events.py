"""What a stream tells comes as typed values: exact, of the right kind, and with nothing of the gateway's lost."""

from dataclasses import fields
from decimal import Decimal

import msgspec
import pytest

from cryptomarket.client.events import (
    AnyTick,
    Connected,
    Gap,
    IndexTick,
    InstrumentTick,
    KeepAlive,
    OptionTick,
    PerpetualTick,
    Reset,
    Snapshot,
    Status,
    Tick,
    event_of,
)
from cryptomarket.market.instruments import Kind
from cryptomarket.market.ticks import SUMMARY_OF_KIND, FeedState

INDEX = (
    '{"seq":7,"prev_seq":5,"ticker":"btc_usd","instrument_name":"btc_usd","kind":"index","price":8.55E+4,'
    '"timestamp":1790165113481,"received_us":1790165113502113,"published_us":1790165113502240}'
)
PERPETUAL = (
    '{"seq":8,"prev_seq":null,"ticker":"BTC-PERPETUAL","instrument_name":"BTC-PERPETUAL","kind":"perpetual",'
    '"price":85500.5,"timestamp":1,"received_us":2,"published_us":3,"state":"open","best_bid_price":85500.123456789012345,'
    '"stats":{"high":9,"low":1,"volume":null,"volume_usd":null,"volume_notional":null,"price_change":-0.1},'
    '"funding_8h":0.0001}'
)
CONNECTED = (
    '{"user_id":"u","request_id":"r","exchange":"simulator","tickers":["btc_usd"],"resume":"%s","position":"e-1",'
    '"server_time_us":5}'
)


def test_a_tick_is_exact_and_of_its_kind() -> None:
    """Promise: prices are the gateway's digits as decimals, and the fields of a kind are typed."""
    index = event_of("message", INDEX, "e-7")
    assert isinstance(index, IndexTick)
    assert (index.price, index.kind, index.position) == (Decimal(85500), Kind.INDEX, "e-7")
    perpetual = event_of("message", PERPETUAL, "e-8")
    assert isinstance(perpetual, PerpetualTick)
    assert perpetual.best_bid_price == Decimal("85500.123456789012345")
    assert perpetual.stats.price_change == Decimal("-0.1")
    assert perpetual.funding_8h == Decimal("0.0001")
    assert perpetual.best_ask_price is None


@pytest.mark.parametrize("kind", SUMMARY_OF_KIND)
def test_a_kind_has_the_fields_that_the_gateway_sends(kind: Kind) -> None:
    """Promise: no field of the exchange's ticker is left out, for any kind."""
    body = INDEX.replace('"index"', f'"{kind}"')
    tick = msgspec.json.decode(body, type=AnyTick)
    assert isinstance(tick, InstrumentTick)
    assert tick.kind is kind
    own = set(type(tick).__struct_fields__) - set(Tick.__struct_fields__)
    assert own == {field.name for field in fields(SUMMARY_OF_KIND[kind])}


def test_a_snapshot_has_its_tick_and_the_state_of_its_feed() -> None:
    """Promise: the feed's state and the instrument's own are not confused; a snapshot without a tick says so."""
    told = PERPETUAL.replace('"state":', '"instrument_state":').removesuffix("}")
    snapshot = event_of("snapshot", told + ',"age_ms":12,"state":"stale","since_ms":3,"last_seq":9}', "e-9")
    assert isinstance(snapshot, Snapshot)
    assert (snapshot.state, snapshot.age_ms, snapshot.last_seq) == (FeedState.STALE, 12, 9)
    assert isinstance(snapshot.tick, PerpetualTick)
    assert (snapshot.tick.state, snapshot.tick.seq) == ("open", 8)
    nothing = event_of("snapshot", '{"ticker":"x","kind":null,"price":null,"state":"unknown","age_ms":null}')
    assert nothing == Snapshot(ticker="x", state=FeedState.UNKNOWN)


def test_a_reset_is_a_kind_of_its_own() -> None:
    """Promise: whoever asks `isinstance(event, Reset)` learns that events may be missing, and nobody else."""
    fresh, reset = event_of("connected", CONNECTED % "fresh"), event_of("connected", CONNECTED % "reset")
    assert isinstance(fresh, Connected)
    assert not isinstance(fresh, Reset)
    assert isinstance(reset, Reset)
    assert reset.tickers == ("btc_usd",)


def test_gaps_and_statuses_are_values() -> None:
    """Promise: what is missing is data, also when its cause has a name that this client does not know."""
    gap = event_of("gap", '{"ticker":"x","from_ms":1,"to_ms":2,"cause":"comet","state":"repaired","seq":3}', "e-3")
    assert gap == Gap(ticker="x", from_ms=1, to_ms=2, cause="comet", state="repaired", seq=3, position="e-3")
    own = event_of("status", '{"ticker":"x","state":"down","since_ms":1,"age_ms":2,"reason":"r","seq":null}', "e-3")
    assert own == Status(ticker="x", state=FeedState.DOWN, since_ms=1, age_ms=2, reason="r")


def test_what_is_new_is_left_alone_and_what_is_broken_is_told() -> None:
    """Promise: an event of a newer gateway breaks no reader; data that are not of their kind do."""
    assert event_of("sunrise", "{}") is None
    assert isinstance(event_of("keep_alive", '{"position":"e-1","server_time_us":1,"feeds":{}}'), KeepAlive)
    with pytest.raises(msgspec.ValidationError):
        event_of("message", '{"kind":"index","ticker":"x"}')


def test_an_option_has_its_greeks() -> None:
    """Promise: what is nested comes typed."""
    body = INDEX.replace('"kind":"index"', '"kind":"option","greeks":{"delta":0.5},"mark_iv":61.2')
    tick = event_of("message", body)
    assert isinstance(tick, OptionTick)
    assert (tick.greeks.delta, tick.greeks.rho, tick.mark_iv) == (Decimal("0.5"), None, Decimal("61.2"))
