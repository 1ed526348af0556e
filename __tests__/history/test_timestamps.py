from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryptomarket.errors import Impossible, Malformed
from cryptomarket.history.timestamps import day_ms, moment_ms, older_time_ms, spelled, time_ms

MOMENT_MS = 1_768_768_182_422


@pytest.mark.parametrize(
    ("text", "expected_ms"),
    [
        ("1768768182", 1_768_768_182_000),
        ("1768768182422", MOMENT_MS),
        ("1768768182422000", MOMENT_MS),
        ("1768768182422001", MOMENT_MS + 1),
        ("99999999999", 99_999_999_999_000),
        ("100000000000", 100_000_000_000),
        ("99999999999999", 99_999_999_999_999),
        ("100000000000000", 100_000_000_000),
        ("0", 0),
        ("2026-01-18T20:29:42.422", MOMENT_MS),
        ("2026-01-18T20:29:42.422Z", MOMENT_MS),
        ("2026-01-18t20:29:42.422z", MOMENT_MS),
        ("2026-01-18T22:29:42.422+02:00", MOMENT_MS),
        ("2026-01-18T22:29:42.422 02:00", MOMENT_MS),
        ("2026-01-18 20:29:42", 1_768_768_182_000),
        ("2026-01-18T20:29:42.422001Z", MOMENT_MS + 1),
        ("2026-01-18", 1_768_694_400_000),
        (" 2026-01-18 ", 1_768_694_400_000),
    ],
)
def test_a_time_is_understood_by_its_form_and_size(text: str, expected_ms: int) -> None:
    """Seconds, milliseconds and microseconds are told apart by magnitude; ISO 8601 without a zone is UTC."""
    assert time_ms(text, field="start") == expected_ms


@pytest.mark.parametrize(
    ("further_us", "expected_ms"), [(0, 0), (1, 0), (499, 0), (500, 0), (501, 1), (999, 1), (1000, 1)]
)
def test_a_moment_is_the_nearest_millisecond(further_us: int, expected_ms: int) -> None:
    """Promise: what is closest to a moment is not looked for beside it; of two as near the earlier one."""
    assert moment_ms(str(MOMENT_MS * 1000 + further_us), field="time") == MOMENT_MS + expected_ms


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-13-01", "1.5", "1e12", "٢٠٢٦", "2026-01-18T25:00", "0x10", "-"]
)
def test_what_is_no_time_is_refused_by_name(text: str) -> None:
    """An unreadable time is a 400 that names its field."""
    with pytest.raises(Malformed, match="start is a time: ISO 8601") as refused:
        time_ms(text, field="start")
    assert refused.value.field == "start"


@pytest.mark.parametrize("text", ["-1", "1969-12-31T23:59:59Z", "253402300800000000", "9" * 20, "9" * 1000])
def test_a_time_out_of_this_world_is_impossible(text: str) -> None:
    """A readable time that no database holds is a 422, never a failure further in."""
    with pytest.raises(Impossible, match="1970 to 9999"):
        time_ms(text, field="end")


@given(st.datetimes(datetime(1970, 1, 2), datetime(9999, 1, 1)), st.integers(-14 * 60, 14 * 60))  # noqa: DTZ001
def test_any_iso_time_keeps_exactly_the_ticks_on_its_side(naive: datetime, zone_minutes: int) -> None:
    """Rounding up to the millisecond moves no tick across a bound: t >= bound says the same before and after."""
    moment = naive.replace(tzinfo=timezone(timedelta(minutes=zone_minutes)))
    bound_us = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    bound_ms = time_ms(moment.isoformat(), field="start")
    for tick_ms in (bound_ms - 1, bound_ms, bound_ms + 1):
        assert (tick_ms >= bound_ms) == (tick_ms * 1000 >= bound_us)


@pytest.mark.parametrize(
    ("text", "expected_ms"),
    [
        ("2026-01-18_20:29:42", 1_768_768_182_000),
        ("2026-1-8_2:9:4", 1_767_838_144_000),
        ("1970-01-01_00:00:00", 0),
    ],
)
def test_the_older_pattern_needs_no_zero_padding(text: str, expected_ms: int) -> None:
    """`YYYY-MM-DD_H:M:S`, UTC."""
    assert older_time_ms(text, field="start_date") == expected_ms


@pytest.mark.parametrize(
    "text",
    ["", "2026-01-18", "2026-01-18 20:29:42", "2026-02-30_0:0:0", "26-1-1_0:0:0", "2026-1-1_24:0:0", "1969-1-1_0:0:0",
     "2026-1-1_0:0:0Z", "0000-1-1_0:0:0", "٢٠٢٦-1-1_0:0:0", "2026-1-1_0:0:0\n"],
)  # fmt: skip
def test_anything_but_the_older_pattern_is_told_the_pattern(text: str) -> None:
    """The older filter's 400 carries the pattern."""
    with pytest.raises(Malformed, match="end_date is written YYYY-MM-DD_H:M:S"):
        older_time_ms(text, field="end_date")


@given(st.integers(0, 253_402_300_799_999))
def test_the_spelling_of_a_time_is_its_iso_form(moment_ms: int) -> None:
    """Keys of the older filter carry every millisecond, and sort as times do."""
    iso = datetime.fromisoformat(spelled(moment_ms)).replace(tzinfo=UTC)
    assert (iso - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1) == moment_ms


@pytest.mark.parametrize("text", ["2026-1-1", "2026-01-32", "2026-01-01T00:00", "1969-12-31", "", "٢٠٢٦-01-01"])
def test_a_day_is_written_in_one_way(text: str) -> None:
    """A day that is none, or is written otherwise, is refused with the pattern."""
    assert day_ms("2026-01-18", field="d") == 1_768_694_400_000
    with pytest.raises(Malformed, match="YYYY-MM-DD"):
        day_ms(text, field="start_date")
