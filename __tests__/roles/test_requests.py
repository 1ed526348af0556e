"""What may be asked of jobs by hand."""

from datetime import UTC, datetime

import pytest

from cryptomarket.errors import Impossible
from cryptomarket.jobs.arguments import Arguments, Checking
from cryptomarket.roles.requests import check_request

NOW_MS = 1_790_165_100_000
NOW = datetime.fromtimestamp(NOW_MS / 1000, UTC)


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (Checking(start=1_790_000_000, end=1_790_000_000), "start"),
        (Checking(start=1_790_000_001_000, end=1_790_000_000), "start"),
        (Checking(start=NOW.replace(year=2025), end=1_600_000_000_000_000), "start"),
        (Checking(start=NOW.replace(year=2027)), "start"),
        (Checking(start=-1), "start"),
        (Checking(start=0, end=10**19), "end"),
        (Checking(start=NOW.replace(year=1969)), "start"),
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
    for asked in (Checking(), Checking(start=0), Checking(end=NOW), Checking(start=1, end=NOW), Arguments()):
        check_request(asked, NOW_MS)
