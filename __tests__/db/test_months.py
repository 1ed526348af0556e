from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryptomarket.db.months import FIRST, LAST, Month, months_of


def ms(*moment: int) -> int:
    return int(datetime(*moment, tzinfo=UTC).timestamp() * 1000)  # type: ignore[arg-type, misc]


def test_a_month_is_half_open() -> None:
    """The first millisecond belongs to a month, the one of the next month does not."""
    november = Month(2026, 11)
    assert (november.start_ms, november.end_ms) == (ms(2026, 11, 1), ms(2026, 12, 1))
    assert Month.of(ms(2026, 11, 1)) == november
    assert Month.of(ms(2026, 12, 1) - 1) == november
    assert Month.of(ms(2026, 12, 1)) == Month(2026, 12)


@pytest.mark.parametrize(("months", "expected"), [(0, (2026, 11)), (1, (2026, 12)), (2, (2027, 1)), (14, (2028, 1))])
def test_months_are_counted_over_years(months: int, expected: tuple[int, int]) -> None:
    """December is followed by January of the next year."""
    assert Month(2026, 11).after(months) == expected


def test_times_that_are_no_market_have_no_month() -> None:
    """A time in seconds, or one of the far future, makes no partition of its own."""
    assert Month.of(FIRST.start_ms - 1) is None
    assert Month.of(LAST.start_ms) is None
    assert Month.of(LAST.start_ms - 1) == Month(2099, 12)
    assert months_of([0, 2**70, -5]) == set()


@given(st.lists(st.integers(FIRST.start_ms - 10**10, LAST.start_ms + 10**10), max_size=20))
def test_months_of_many_are_those_of_each(times: list[int]) -> None:
    """Looking at many times at once finds what looking at each would."""
    assert months_of(times) == {month for each in times if (month := Month.of(each)) is not None}
