"""The ring of publications: bounded, addressed by sequence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryptomarket.backplane.memory.log import Log
from cryptomarket.errors import LogTooShort
from cryptomarket.market.position import Position
from cryptomarket.market.wire import Publication, PublicationKind


def _publication(seq: int) -> Publication:
    return Publication(Position("e", seq), PublicationKind.TICK, "a", None, b"{}")


@given(st.integers(1, 20), st.integers(0, 20), st.lists(st.integers(0, 3), max_size=80))
def test_it_holds_its_capacity_what_is_owed_and_never_more_than_the_hard_bound(
    capacity: int, more: int, acknowledged_each: list[int]
) -> None:
    """Promise: bounded whatever the writer does, and nothing owed is lost below the hard bound."""
    log, acknowledged = Log("e", capacity=capacity, hard_capacity=capacity + more), 0
    for seq, step in enumerate(acknowledged_each, start=1):
        log.append(_publication(seq), owed_from=acknowledged + 1)
        acknowledged = min(seq, acknowledged + step)
        held = log.head - log.first + 1
        assert held <= capacity + more
        assert log.first <= max(1, log.head - capacity + 1)
        told = log.between(Position("e", log.first - 1), log.head, 1000)
        assert [each.seq for each in told] == list(range(log.first, log.head + 1))
        assert log.at(log.head).seq == seq


def test_before_its_first_and_beyond_its_head_is_too_short() -> None:
    """Promise: a hole is said."""
    log = Log("e", capacity=3, hard_capacity=3)
    for seq in range(1, 6):
        log.append(_publication(seq), owed_from=seq)
    assert (log.first, log.head) == (3, 5)
    assert [each.seq for each in log.between(Position("e", 2), 5, 10)] == [3, 4, 5]
    for position in (Position("e", 1), Position("e", 6), Position("f", 4)):
        with pytest.raises(LogTooShort):
            log.between(position, 5, 10)
