"""A position orders publications within an epoch, and its text is the id that readers come back with."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryptomarket.market.position import MAX_SEQ, Position

positions = st.builds(Position, st.from_regex(r"[0-9a-z]{1,32}", fullmatch=True), st.integers(0, MAX_SEQ))


@given(positions)
def test_its_text_reads_back_as_itself(position: Position) -> None:
    """Promise: an id that we gave is understood when it comes back."""
    assert Position.parse(str(position)) == position


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "a-",
        "-1",
        "a-01",
        "a--1",
        "a-1 ",
        " a-1",
        "a-1\n",
        "A-1",
        "a-1-2",
        f"a-{MAX_SEQ + 1}",
        "a-\u0661",
        "é-1",
        "x" * 33 + "-1",
    ],
)
def test_a_strangers_id_is_none_of_ours(text: str) -> None:
    """Promise: garbage is not an error and not a position."""
    assert Position.parse(text) is None


@given(st.text(max_size=80))
def test_no_text_breaks_the_reading(text: str) -> None:
    """Promise: whatever comes as an id, the answer is a position that spells it, or None."""
    position = Position.parse(text)
    assert position is None or str(position) == text


@given(positions, positions)
def test_only_positions_of_one_epoch_compare(one: Position, other: Position) -> None:
    """Promise: across epochs neither follows the other."""
    if one.epoch != other.epoch:
        assert not one.follows(other)
        assert not other.follows(one)
    else:
        assert one.follows(other) == (one.seq > other.seq)
