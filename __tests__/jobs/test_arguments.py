"""What a job may be told: the bounds are the same for everybody who asks."""

from datetime import UTC, datetime

import pytest

from cryptomarket.errors import Impossible
from cryptomarket.jobs.arguments import Arguments, Checking, OfTickers, Removing, Repairing, read_arguments, written
from cryptomarket.market.candles import Resolution


def test_what_is_told_comes_back() -> None:
    """Promise: what differs from the defaults travels, and is read as it was written."""
    checking = Checking(resolution=Resolution.DAY_1, start=datetime(2026, 1, 31, 12, tzinfo=UTC), end=1_790_165_100)
    removing = Removing(days=30, dry_run=True)
    for arguments in (Arguments(), OfTickers(tickers=["btc_usd"]), checking, removing, Repairing(gaps=1)):
        assert read_arguments(type(arguments), written(arguments)) == arguments
    assert written(Removing()) == {}


@pytest.mark.parametrize(
    ("kind", "given", "field"),
    [
        (Removing, {"days": 0}, "days"),
        (Removing, {"days": "many"}, "days"),
        (Repairing, {"gaps": 1001}, "gaps"),
        (Checking, {"resolution": "7"}, "resolution"),
        (Checking, {"start": "yesterday"}, "start"),
        (OfTickers, {"tickers": []}, "tickers"),
        (OfTickers, {"tickers": ["btc_usd"] * 201}, "tickers"),
        (Repairing, {"gaps": 0}, "gaps"),
        (Removing, {"days": 36_501}, "days"),
        (Removing, {"dry_run": 1}, "dry_run"),
        (OfTickers, {"tickers": ["btc usd"]}, "tickers[0]"),
        (Arguments, {"days": 1}, None),
    ],
)
def test_what_can_not_be_is_refused(kind: type[Arguments], given: dict[str, object], field: str | None) -> None:
    """Promise: a value out of range, of another type, or for a name that the job lacks is refused, and named."""
    with pytest.raises(Impossible) as refused:
        read_arguments(kind, given)
    assert refused.value.field == field
