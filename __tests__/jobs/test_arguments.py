"""What a job may be told: the bounds are the same for everybody who asks."""

import pytest

from cryptomarket.errors import Impossible, Malformed, Refusal
from cryptomarket.jobs.arguments import (
    RIGHT,
    Arguments,
    Checking,
    OfTickers,
    Removing,
    Repairing,
    read_arguments,
    written,
)
from cryptomarket.market.candles import Resolution


def test_what_is_told_comes_back() -> None:
    """Promise: what differs from the defaults travels, and is read as it was written."""
    checking = Checking(resolution=Resolution.DAY_1, start="2026-01-31", end=1_790_165_100)
    removing = Removing(days=30, dry_run=True)
    for arguments in (Arguments(), OfTickers(tickers=["btc_usd"]), checking, removing, Repairing(gaps=1)):
        assert read_arguments(type(arguments), written(arguments)) == arguments
    assert written(Removing()) == {}


NAMES = "a list of 1 to 200 names of 1 to 64 letters, digits, '_', '-' and '.'"
TIME = "a time: ISO 8601, such as 2026-01-31T12:00:00Z, or an integer of Unix seconds, milliseconds or microseconds"
DAYS = "a whole number from 1 to 36500"
GAPS = "a whole number from 1 to 1000"
CHOICES = "one of '1', '3', '5', '10', '15', '30', '60', '120', '180', '360', '720', '1D'"


@pytest.mark.parametrize(
    ("kind", "given", "field", "right"),
    [
        (Removing, {"days": 0}, "days", DAYS),
        (Removing, {"days": "many"}, "days", DAYS),
        (Removing, {"days": 36_501}, "days", DAYS),
        (Removing, {"days": 1.5}, "days", DAYS),
        (Removing, {"dry_run": 1}, "dry_run", "true or false"),
        (Repairing, {"gaps": 0}, "gaps", GAPS),
        (Repairing, {"gaps": 1001}, "gaps", GAPS),
        (Repairing, {"gaps": None}, "gaps", GAPS),
        (Checking, {"resolution": "7"}, "resolution", CHOICES),
        (Checking, {"resolution": 60}, "resolution", CHOICES),
        (OfTickers, {"tickers": []}, "tickers", NAMES),
        (OfTickers, {"tickers": "btc_usd"}, "tickers", NAMES),
        (OfTickers, {"tickers": ["btc_usd"] * 201}, "tickers", NAMES),
        (OfTickers, {"tickers": ["btc_usd", "btc usd"]}, "tickers[1]", NAMES),
        (OfTickers, {"tickers": [7]}, "tickers[0]", NAMES),
    ],
)
def test_what_can_not_be_is_refused(kind: type[Arguments], given: dict[str, object], field: str, right: str) -> None:
    """Promise: a value out of range or of another type is refused and named, with what would be right; what was sent
    is not repeated.
    """
    with pytest.raises(Impossible) as refused:
        read_arguments(kind, given)
    name = field.partition("[")[0]
    assert (refused.value.field, refused.value.detail) == (field, f"{name} must be {right}.")


@pytest.mark.parametrize("given", [True, 1.5, ["2026-01-31"], " " * 60 + "2026-01-31"])
def test_what_is_no_time_can_not_be_read(given: object) -> None:
    """Promise: 400, as for a time in a query; whether a text or a number is one is told where it is checked."""
    with pytest.raises(Malformed) as refused:
        read_arguments(Checking, {"start": given})
    assert (refused.value.field, refused.value.detail) == ("start", f"start must be {TIME}.")


@pytest.mark.parametrize(
    ("kind", "takes"),
    [
        (Arguments, "takes no arguments"),
        (Removing, "takes days, dry_run"),
        (Checking, "takes tickers, resolution, start, end"),
    ],
)
def test_an_argument_that_the_job_lacks_is_refused(kind: type[Arguments], takes: str) -> None:
    """Promise: it is named, and so is all that the job takes."""
    with pytest.raises(Refusal) as refused:
        read_arguments(kind, {"foo": 1})
    assert (refused.value.status, refused.value.field) == (422, "foo")
    assert refused.value.detail == f"There is no argument 'foo'; this job {takes}."


def test_there_are_words_for_every_argument() -> None:
    """Promise: no argument of any job is refused without a sentence of its own."""
    kinds = (Arguments, OfTickers, Checking, Removing, Repairing)
    assert {name for kind in kinds for name in kind.__struct_fields__} == RIGHT.keys()
    assert set(Arguments.__subclasses__()) | {Checking, Arguments} == set(kinds)
