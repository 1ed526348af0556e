"""Entries of the log."""

import pytest

from cryptomarket.backplane.redis.answers import Answer
from cryptomarket.backplane.redis.entries import entry_id, proven_whole, publications_of
from cryptomarket.errors import LogTooShort
from cryptomarket.market.position import Position
from cryptomarket.market.wire import Publication, PublicationKind

TICK: Answer = [b"0-7", [b"kind", b"tick", b"ticker", b"a", b"prev_seq", b"", b"payload", b"{}"]]
GAP: Answer = [b"0-8", [b"kind", b"gap", b"ticker", b"a", b"prev_seq", b"7", b"payload", b"{}"]]
CHANGE: Answer = [
    b"0-9",
    [b"kind", b"set_change", b"ticker", b"a", b"prev_seq", b"", b"payload", b"{}", b"user_id", b"u"],
]


def test_what_entries_say() -> None:
    """Promise: place, kind, ticker, chain and owner are what was published."""
    assert publications_of("e", [TICK, GAP, CHANGE]) == [
        Publication(Position("e", 7), PublicationKind.TICK, "a", None, b"{}"),
        Publication(Position("e", 8), PublicationKind.GAP, "a", 7, b"{}"),
        Publication(Position("e", 9), PublicationKind.SET_CHANGE, "a", None, b"{}", "u"),
    ]
    assert entry_id(7) == "0-7"


def test_a_hole_is_told() -> None:
    """Promise: one after the other is the proof that nothing was missed."""
    batch = publications_of("e", [TICK, GAP])
    proven_whole(batch, Position("e", 6))
    proven_whole([], Position("e", 6))
    for holed, after in ((batch, 5), (publications_of("e", [TICK, CHANGE]), 6)):
        with pytest.raises(LogTooShort):
            proven_whole(holed, Position("e", after))
