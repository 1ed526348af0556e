"""What a process says by itself: no id, no seq, and a place behind everything that was published."""

from __tests__.live.world import EPOCH, START_MS, events_of, published, status, tick
from cryptomarket.backplane.bus import Picture
from cryptomarket.live.alone import Absence, as_seen, status_of
from cryptomarket.market.position import Position
from cryptomarket.market.ticks import FeedState
from cryptomarket.market.wire import decode_status

HERE = Position(EPOCH, 2)


def test_a_feed_is_down_for_the_bus_and_otherwise_as_its_picture_tells() -> None:
    """Promise: the last known tick and its age stay; the state is the process's own knowledge."""
    picture = Picture(published(tick("btc_usd"), 1), None, published(status("btc_usd"), 2, 1), 2)
    absence = Absence()
    absence.lose_bus(now_ms=START_MS + 500)
    entry = status_of("btc_usd", as_seen(picture, absence.of("btc_usd")), HERE, now_ms=START_MS + 520)
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


def told(absence: Absence, ticker: str = "btc_usd") -> tuple[str | None, int] | None:
    word = absence.of(ticker)
    assert absence.covers(ticker) is (word is not None)
    if word is None:
        return None
    status_told = decode_status(word.payload)
    assert status_told.state is FeedState.DOWN
    return status_told.reason, status_told.since_ms


def test_the_bus_stands_above_ingest() -> None:
    """Promise: of two reasons the nearer one is told, and each since it is so."""
    absence = Absence()
    assert absence.lose_ingest(now_ms=1)
    assert not absence.lose_ingest(now_ms=2)
    assert told(absence) == ("ingest", 1)
    assert absence.lose_bus(now_ms=3)
    assert not absence.lose_bus(now_ms=4)
    assert told(absence) == ("bus", 3)
    absence.find_bus()
    assert told(absence) == ("ingest", 1)
    absence.find_ingest(list, [])
    assert told(absence) is None


def test_a_feed_is_believed_once_somebody_has_spoken_of_it() -> None:
    """Promise: who comes to hear the exchange again is no proof that each feed is heard again: one that was live is
    down until its status was published, or who holds it has told so.
    """
    absence = Absence()
    absence.lose_ingest(now_ms=1)
    absence.spoken_of("early")
    assert told(absence, "early") is None
    absence.find_ingest(lambda: ["early", "held", "later", "left"], ["held"])
    assert [told(absence, ticker) is None for ticker in ("early", "held", "halted", "later", "left")] == [
        True, True, True, False, False,
    ]  # fmt: skip
    absence.spoken_of("later")
    assert told(absence, "later") is None
    absence.find_ingest(lambda: ["held"], ["held", "left"])
    assert told(absence, "left") is None
    absence.lose_ingest(now_ms=9)
    assert told(absence, "early") == ("ingest", 9)
