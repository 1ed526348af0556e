"""Windows of a range, and the values that statements about them take."""

from cryptomarket.history.cursors import Cursor
from cryptomarket.history.windows_repository import Window, before, day_of, given, passed_of, within
from cryptomarket.market.ticks import Source


def test_a_window_ends_before_the_next_time() -> None:
    """Promise: what comes before a time has none of its milliseconds, whichever way it is read."""
    left = Window(10, 20)
    assert before(15, left, "asc") == Window(10, 15)
    assert before(15, left, "desc") == Window(16, 20)


def test_every_name_of_a_condition_has_a_value() -> None:
    """Promise: what `within` wants to be given, `given` gives: with a source and without, begun or not."""
    for source in (None, Source.STREAM):
        for order in ("asc", "desc"):
            asked = Cursor.at_start("x", 10, 20, order=order, source=source)
            for begun in (False, True):
                conditions = within(has_source=source is not None, passed=passed_of(asked, begun=begun))
                wanted = {name for each in conditions for name in each.compile().params}
                assert wanted <= given(asked, Window(10, 20), 5).keys()
                assert ("source" in wanted) is (source is not None)
                assert ("told_id" in wanted) is begun


def test_a_day_is_one_of_utc() -> None:
    """Promise: a time belongs to the day of UTC, to the millisecond."""
    assert day_of(86_399_999) == "1970-01-01"
    assert day_of(86_400_000) == "1970-01-02"
