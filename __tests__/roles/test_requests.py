"""What may be asked of jobs by hand."""

import pytest

from cryptomarket.errors import Impossible, Malformed
from cryptomarket.jobs.arguments import Arguments, Checking
from cryptomarket.roles.requests import check_request, moment_ms

NOW_MS = 1_790_165_100_000


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (Checking(start=1_790_000_000, end=1_790_000_000), "start"),
        (Checking(start=1_790_000_001_000, end=1_790_000_000), "start"),
        (Checking(start="2025-09-23T12:05:00Z", end=1_600_000_000_000_000), "start"),
        (Checking(start="2027-09-23"), "start"),
        (Checking(start=-1), "start"),
        (Checking(start=0, end=10**19), "end"),
        (Checking(start="1969-12-31T23:59:59Z"), "start"),
    ],
)
def test_a_stretch_that_can_not_be_is_refused(asked: Checking, field: str) -> None:
    """Promise: one that does not begin before it ends, is yet to come, or lies outside of all years, is refused when it
    is asked for, however its ends are written, and the argument is named.
    """
    with pytest.raises(Impossible) as refused:
        check_request(asked, NOW_MS)
    assert refused.value.field == field


def test_what_can_be_passes() -> None:
    """Promise: a stretch with both ends, with one, or with none, and other arguments, are taken."""
    for asked in (
        Checking(),
        Checking(start=0),
        Checking(end="2026-09-23"),
        Checking(start=1, end="2026-09-23"),
        Arguments(),
    ):
        check_request(asked, NOW_MS)


@pytest.mark.parametrize(
    "written",
    [1_795_132_800, "1795132800", 1_795_132_800_000, "1795132800000000", "2026-11-20", "2026-11-20T03:00:00+03:00"],
    ids=repr,
)
def test_a_time_is_written_as_in_a_query(written: str | int) -> None:
    """Promise: a day, a moment, or an integer, also as a text, mean the same here as anywhere."""
    assert moment_ms(written, "start") == 1_795_132_800_000


@pytest.mark.parametrize("written", ["abc", "", "2026-11-31", "1e5"])
def test_what_is_no_time_can_not_be_read(written: str | int) -> None:
    """Promise: 400, naming the argument and what would be right."""
    with pytest.raises(Malformed, match=r"end is a time: ISO 8601, such as") as refused:
        check_request(Checking(end=written), NOW_MS)
    assert refused.value.field == "end"
