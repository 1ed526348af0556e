"""What a process says by itself: no id, no seq, and a place behind everything that was published."""

from __tests__.live.world import EPOCH, START_MS, events_of, published, status, tick
from cryptomarket.backplane.bus import Picture
from cryptomarket.live.alone import as_seen, bus_is_away, status_of
from cryptomarket.market.position import Position

HERE = Position(EPOCH, 2)


def test_a_feed_is_down_for_the_bus_and_otherwise_as_its_picture_tells() -> None:
    """Promise: the last known tick and its age stay; the state is the process's own knowledge."""
    picture = Picture(published(tick("btc_usd"), 1), None, published(status("btc_usd"), 2, 1), 2)
    away = bus_is_away(now_ms=START_MS + 500)
    entry = status_of("btc_usd", as_seen(picture, away), HERE, now_ms=START_MS + 520)
    [down] = events_of(entry.frame)
    assert (down.name, down.id, entry.publication.seq) == ("status", None, 3)
    assert down.data == {
        "ticker": "btc_usd", "state": "down", "since_ms": START_MS + 500, "age_ms": 500, "reason": "bus", "seq": None,
        "prev_seq": None,
    }  # fmt: skip
    [live] = events_of(status_of("btc_usd", as_seen(picture, None), HERE, now_ms=START_MS + 520).frame)
    assert (live.data["state"], live.data["reason"], live.data["since_ms"]) == ("live", "heard", START_MS)


def test_a_feed_of_which_nothing_is_known_is_unknown() -> None:
    """Promise: never live before there is data."""
    [told] = events_of(status_of("btc_usd", Picture(), HERE, now_ms=START_MS).frame)
    assert (told.data["state"], told.data["age_ms"], told.data["since_ms"]) == ("unknown", None, START_MS)
