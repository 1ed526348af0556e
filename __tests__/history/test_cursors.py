from base64 import urlsafe_b64encode

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryptomarket.errors import Malformed
from cryptomarket.history.cursors import Cursor
from cryptomarket.history.rows import Row
from cryptomarket.market.ticks import Source

START = Cursor.at_start("BTC-PERPETUAL", 1, 10, order="desc", source=None, newest_id=77, complete=True)
"""Of [1, 10)."""
ROW = Row(7, "stream", "019a3f2c", 41, 40, "BTC-PERPETUAL", "BTC-PERPETUAL", "perpetual", None, 5, 5000, 5001, None)


def test_a_cursor_says_again_what_it_was_made_of() -> None:
    """A page can be continued in any process: the text carries the whole question and the last row."""
    cursor = START.after(ROW)
    assert Cursor.parse(str(cursor)) == cursor
    assert (cursor.timestamp_ms, cursor.row_source, cursor.epoch, cursor.seq, cursor.row_id) == (
        5, Source.STREAM, "019a3f2c", 41, 7,
    )  # fmt: skip
    assert (cursor.newest_id, cursor.complete) == (77, True)


@given(st.text(max_size=600))
def test_a_strangers_cursor_is_refused(text: str) -> None:
    """Whatever comes in as a cursor is a 400, never a failure further in."""
    with pytest.raises(Malformed, match="no cursor of ours"):
        Cursor.parse(text)


@pytest.mark.parametrize(
    "forged",
    [
        {"newest_id": 2**64}, {"row_id": -1}, {"order": "up"}, {"ticker": "a" * 65}, {"epoch": "a\0"}, {"seq": None},
        {"row_source": "collected"}, {"epoch": None}, {"complete": 1},
        {"start_ms": 10}, {"start_ms": 11}, {"end_ms": 1}, {"timestamp_ms": 0}, {"timestamp_ms": 10}, {"more": 1},
        {"timestamp_ms": 2**60}, {"timestamp_ms": 253402300800000}, {"start_ms": 2**60}, {"end_ms": 2**60},
    ],
)  # fmt: skip
def test_a_forged_cursor_reaches_no_statement(forged: dict[str, object]) -> None:
    """Promise: what no cursor of ours says is refused when it is read: values that a database would choke on, ranges
    that can't be, rows outside of them, and elements that none has.
    """
    fields = msgspec.to_builtins(START.after(ROW))
    whole = dict(zip(Cursor.__struct_fields__, fields, strict=True)) | forged
    text = urlsafe_b64encode(msgspec.json.encode(list(whole.values()))).decode()
    with pytest.raises(Malformed, match="no cursor of ours"):
        Cursor.parse(text)


def test_foreign_characters_are_not_left_out() -> None:
    """Promise: a cursor with anything put into it is none of ours."""
    text = str(START.after(ROW))
    assert Cursor.parse(text) == START.after(ROW)
    for strange in ("!!**", "%0A", " ", "+", "="):
        with pytest.raises(Malformed):
            Cursor.parse(text[:8] + strange + text[8:])
