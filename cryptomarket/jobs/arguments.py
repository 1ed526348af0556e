"""What a job may be told when it is started by hand. What it is told on schedule is the default of each.

Every argument has its bounds here, so that the same are refused by the API, by the command line and by a worker.
"""

from collections.abc import Mapping
from typing import Annotated

import msgspec

from cryptomarket.errors import Impossible, Malformed
from cryptomarket.market.candles import Resolution

MAX_TICKERS = 200
MAX_DAYS = 36_500
MAX_GAPS = 1000

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.\-]+$")]
Names = Annotated[list[Name], msgspec.Meta(min_length=1, max_length=MAX_TICKERS)]
Time = Annotated[str, msgspec.Meta(max_length=64)] | int


class Arguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """None at all: most jobs know by themselves what is to be done."""


class OfTickers(Arguments, frozen=True):
    """These tickers, rather than those that the job would take."""

    tickers: Names | None = None


class Checking(OfTickers, frozen=True):
    """The candles of this length that overlap [start, end): times as they are written in a query, read where they
    are checked.
    """

    resolution: Resolution = Resolution.MINUTE_1
    start: Time | None = None
    end: Time | None = None


class Removing(Arguments, frozen=True):
    """What is older than `days`, rather than what the setting says. With `dry_run` it is only counted."""

    days: Annotated[int, msgspec.Meta(ge=1, le=MAX_DAYS)] | None = None
    dry_run: bool = False


class Repairing(Arguments, frozen=True):
    """How many gaps at most are asked for in one run."""

    gaps: Annotated[int, msgspec.Meta(ge=1, le=MAX_GAPS)] = 20


_A_TIME = "a time: ISO 8601, such as 2026-01-31T12:00:00Z, or an integer of Unix seconds, milliseconds or microseconds"
_TIMES = ("start", "end")
RIGHT = {
    "tickers": f"a list of 1 to {MAX_TICKERS} names of 1 to 64 letters, digits, '_', '-' and '.'",
    "resolution": f"one of {', '.join(repr(each.value) for each in Resolution)}",
    **dict.fromkeys(_TIMES, _A_TIME),
    "days": f"a whole number from 1 to {MAX_DAYS}",
    "dry_run": "true or false",
    "gaps": f"a whole number from 1 to {MAX_GAPS}",
}
"""What each argument must be, in words."""


def read_arguments(kind: type[Arguments], given: Mapping[str, object]) -> Arguments:
    """Raises Impossible, with a sentence, for arguments that the job does not have or that are out of range, and
    Malformed for a time that is none.
    """
    known = kind.__struct_fields__
    for name in sorted(given.keys() - known):
        takes = f"takes {', '.join(known)}" if known else "takes no arguments"
        raise Impossible(f"There is no argument {name[:64]!r}; this job {takes}.", field=name[:64])
    try:
        return msgspec.convert(dict(given), kind)
    except msgspec.ValidationError as error:
        place = str(error).partition(" - at `$.")[2].rstrip("`")
        name = place.partition("[")[0]
        refusal = Malformed if name in _TIMES else Impossible
        raise refusal(f"{name} must be {RIGHT[name]}.", field=place) from None


def written(arguments: Arguments) -> dict[str, object]:
    """What differs from the defaults, as it travels and is kept."""
    told: dict[str, object] = msgspec.to_builtins(arguments)
    return told
