"""The last events of a process: what reaches back, and what does not."""

import pytest

from __tests__.live.world import START_MS, published, tick
from cryptomarket.live.ring import Ring


def filled(*seqs: int, capacity: int = 4, begun_at: int | None = None) -> Ring:
    ring = Ring(capacity)
    ring.begin(seqs[0] - 1 if begun_at is None else begun_at)
    for seq in seqs:
        ring.add(published(tick("btc_usd", START_MS + seq), seq))
    return ring


def told(ring: Ring, after: int, until: int, limit: int = 100) -> list[int]:
    return [entry.publication.seq for entry in ring.since(after, until, limit)]


def test_what_followed_is_told_again_in_order() -> None:
    """From after one position to another, a page at a time."""
    ring = filled(5, 6, 7)
    assert told(ring, 4, 7) == [5, 6, 7]
    assert told(ring, 4, 6) == [5, 6]
    assert told(ring, 4, 7, limit=2) == [5, 6]
    assert told(ring, 7, 7) == []


@pytest.mark.parametrize(("after", "reaches"), [(3, False), (4, True), (6, True), (7, True), (8, False)])
def test_it_reaches_back_to_its_first_and_no_further(after: int, reaches: bool) -> None:
    """Never a silent hole: before its first event, and beyond its last, somebody else has to be asked."""
    assert filled(5, 6, 7).reaches(after) is reaches


def test_the_oldest_gives_way() -> None:
    """Memory is bounded, and what was overwritten is not reached any more."""
    ring = filled(*range(1, 11), capacity=4)
    assert [ring.reaches(after) for after in (5, 6)] == [False, True]
    assert told(ring, 6, 10) == [7, 8, 9, 10]


def test_after_a_jump_it_begins_anew() -> None:
    """What came before a hole does not lead to what came after it."""
    ring = filled(5, 6, 9, 10, capacity=10)
    assert [ring.reaches(after) for after in (5, 6, 7, 8)] == [False, False, False, True]
    assert told(ring, 8, 10) == [9, 10]


def test_an_event_is_encoded_once() -> None:
    """However many come back, they share the bytes."""
    ring = filled(5)
    [first], [second] = ring.since(4, 5, 1), ring.since(4, 5, 1)
    assert first.frame is second.frame
