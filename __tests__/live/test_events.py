"""The bytes of each event."""

import json
from decimal import Decimal

import msgspec
import pytest

from __tests__.live.world import EPOCH, START_MS, events_of, gap, published, status, tick
from cryptomarket.backplane.bus import Outgoing, Picture
from cryptomarket.live.events import event, feed_of, frame_of, merged_gaps, snapshot
from cryptomarket.market.instruments import Kind
from cryptomarket.market.position import Position
from cryptomarket.market.ticks import FeedState, GapCause, PerpetualSummary, Tick
from cryptomarket.market.wire import PublicationKind, encode_tick

P = Position(EPOCH, 7)


def test_an_event_is_its_name_and_one_line_of_data() -> None:
    """No event but those with a place of their own carries an id."""
    assert event("keep_alive", {"a": 1}) == b'event: keep_alive\ndata: {"a":1}\n\n'
    assert event("x", {}, id_=P, retry_ms=1500) == b"id: %s-7\nretry: 1500\nevent: x\ndata: {}\n\n" % EPOCH.encode()


def test_no_text_can_forge_a_line() -> None:
    """JSON escapes line ends, so that a name from outside can't end an event early."""
    chunk = event("problem", {"detail": "a\r\n\nid: 1-1\x00"})
    assert chunk.count(b"\n") == 3
    assert b"\r" not in chunk
    assert events_of(chunk)[0].data["detail"] == "a\r\n\nid: 1-1\x00"


def test_a_tick_is_a_message_with_its_position_as_id() -> None:
    """`EventSource.onmessage` fires for ticks: they have no event name. The price is the published decimal."""
    [told] = events_of(frame_of(published(tick("btc_usd", price="8.55E+4"), 7, 3)))
    assert told.name == "message"
    assert told.id == P
    assert "event:" not in told.text
    assert told.data["price"] == Decimal(85500)
    assert (told.data["seq"], told.data["prev_seq"]) == (7, 3)
    assert told.data["timestamp"] == START_MS
    assert {"ticker", "instrument_name", "kind", "received_us", "published_us"} <= told.data.keys()


def test_status_and_gap_carry_seq_prev_seq_and_id() -> None:
    """Completeness is provable: all three kinds name their predecessor."""
    [told] = events_of(frame_of(published(status("btc_usd", FeedState.STALE), 7)))
    assert (told.name, told.id) == ("status", P)
    assert told.data == {
        "ticker": "btc_usd", "state": "stale", "since_ms": START_MS, "age_ms": 20, "reason": "heard", "seq": 7,
        "prev_seq": None,
    }  # fmt: skip
    [told] = events_of(frame_of(published(gap("btc_usd", 5, 9), 8, 7)))
    assert told.name == "gap"
    assert told.data == {
        "ticker": "btc_usd", "from_ms": 5, "to_ms": 9, "cause": "disconnect", "state": "recorded", "seq": 8,
        "prev_seq": 7,
    }  # fmt: skip


def test_a_snapshot_tells_the_tick_with_its_own_seq_and_what_comes_next() -> None:
    """`last_seq` is what the next event's `prev_seq` will repeat, also when that was a status."""
    picture = Picture(
        tick=published(tick("btc_usd"), 4, 2), status=published(status("btc_usd", FeedState.DOWN), 6, 4), last_seq=6
    )
    [told] = events_of(snapshot("btc_usd", picture, now_ms=START_MS + 520, id_=P))
    assert (told.name, told.id) == ("snapshot", P)
    assert (told.data["seq"], told.data["prev_seq"], told.data["last_seq"]) == (4, 2, 6)
    assert (told.data["state"], told.data["since_ms"], told.data["age_ms"]) == ("down", START_MS, 500)
    assert told.data["price"] == Decimal("85500.12")


def names_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    names = [name for name, _ in pairs]
    assert len(set(names)) == len(names), names
    return dict(pairs)


@pytest.mark.parametrize("is_remembered", [False, True])
def test_a_snapshot_of_an_instrument_tells_both_states(is_remembered: bool) -> None:
    """Promise: no name comes twice in an event (RFC 8259, 4); the feed's `state` does not hide the instrument's."""
    heard = Tick(
        "BTC-PERPETUAL", "BTC-PERPETUAL", Kind.PERPETUAL, Decimal("85500.5"), START_MS, START_MS * 1000,
        summary=PerpetualSummary(state="open", last_price=Decimal("85500.5")),
    )  # fmt: skip
    payload = encode_tick(heard, published_us=START_MS * 1000)
    spoken = published(Outgoing(PublicationKind.TICK, heard.ticker, payload), 4)
    picture = Picture(remembered=payload) if is_remembered else Picture(tick=spoken, last_seq=4)
    [told] = events_of(snapshot(heard.ticker, picture, now_ms=START_MS))
    data = json.loads(told.text.partition("data: ")[2], object_pairs_hook=names_once)
    assert (data["state"], data["instrument_state"]) == ("unknown", "open")
    [message] = events_of(frame_of(spoken))
    assert message.data["state"] == "open"


def test_a_snapshot_of_nothing_is_the_ticker_and_nulls() -> None:
    """No data yet is `unknown`, never `live`, and every field is there."""
    [told] = events_of(snapshot("btc_usd", Picture(), now_ms=START_MS))
    assert told.id is None
    assert told.data == {
        "ticker": "btc_usd", "instrument_name": None, "kind": None, "price": None, "timestamp": None,
        "received_us": None, "published_us": None, "seq": None, "prev_seq": None, "age_ms": None, "state": "unknown",
        "since_ms": None, "last_seq": None,
    }  # fmt: skip


def test_a_snapshot_of_a_former_epoch_has_no_place_in_this_one() -> None:
    """What is remembered is told with its age, and without a seq that would name something else now."""
    [told] = events_of(snapshot("btc_usd", Picture(remembered=tick("btc_usd").payload), now_ms=START_MS + 1020))
    assert (told.data["seq"], told.data["prev_seq"], told.data["last_seq"]) == (None, None, None)
    assert (told.data["age_ms"], told.data["state"]) == (1000, "unknown")
    assert told.data["price"] == Decimal("85500.12")


def test_age_is_never_negative() -> None:
    """A clock that was set back makes nothing younger than now."""
    picture = Picture(tick=published(tick("btc_usd"), 1), last_seq=1)
    assert feed_of(picture, now_ms=START_MS - 60_000) == (FeedState.UNKNOWN, None, 0)


def test_merged_gaps_span_both_at_the_place_of_the_first() -> None:
    """Whoever is cut off between the two places still holds the whole of what the id promises."""
    first = published(gap("btc_usd", 10, 20, GapCause.SILENCE), 3, 1)
    last = published(gap("btc_usd", 30, 45), 9, 8)
    [told] = events_of(frame_of(merged_gaps(first, last)))
    assert told.id == Position(EPOCH, 3)
    assert (told.data["from_ms"], told.data["to_ms"], told.data["cause"]) == (10, 45, "silence")
    assert (told.data["seq"], told.data["prev_seq"]) == (3, 1)
    assert merged_gaps(first, msgspec.structs.replace(first)) == first
