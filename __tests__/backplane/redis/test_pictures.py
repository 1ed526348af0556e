"""Pictures out of hashes."""

from cryptomarket.backplane.bus import Picture
from cryptomarket.backplane.redis.answers import Answer
from cryptomarket.backplane.redis.pictures import picture_of
from cryptomarket.market.position import Position
from cryptomarket.market.wire import Publication, PublicationKind

TICK: list[Answer] = [b"tick", b"{1}", b"tick_seq", b"4", b"tick_prev_seq", b"2"]
STATUS: list[Answer] = [b"status", b"{2}", b"status_seq", b"5", b"status_prev_seq", b""]


def test_of_this_epoch() -> None:
    """Promise: last tick, last status, last sequence, each with its own place."""
    assert picture_of("e", "a", [b"epoch", b"e", b"last_seq", b"6", *TICK, *STATUS]) == Picture(
        tick=Publication(Position("e", 4), PublicationKind.TICK, "a", 2, b"{1}"),
        status=Publication(Position("e", 5), PublicationKind.STATUS, "a", None, b"{2}"),
        last_seq=6,
    )
    assert picture_of("e", "a", [b"epoch", b"e", b"remembered", b"{0}"]) == Picture(remembered=b"{0}")


def test_of_a_former_epoch() -> None:
    """Promise: of what was said in another epoch, the last tick is remembered and nothing else counts."""
    assert picture_of("e", "a", [b"epoch", b"d", b"last_seq", b"6", *TICK, *STATUS]) == Picture(remembered=b"{1}")
    assert picture_of("e", "a", [b"epoch", b"d", b"remembered", b"{0}", *STATUS]) == Picture(remembered=b"{0}")
    assert picture_of("e", "a", []) == Picture()
