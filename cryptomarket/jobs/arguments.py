"""What a job may be told when it is started by hand. What it is told on schedule is the default of each.

Every argument has its bounds here, so that the same are refused by the API, by the command line and by a worker.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

import msgspec

from cryptomarket.errors import Impossible
from cryptomarket.market.candles import Resolution

MAX_TICKERS = 200

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.\-]+$")]
Names = Annotated[list[Name], msgspec.Meta(min_length=1, max_length=MAX_TICKERS)]


class Arguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """None at all: most jobs know by themselves what is to be done."""


class OfTickers(Arguments, frozen=True):
    """These tickers, rather than those that the job would take."""

    tickers: Names | None = None


class Checking(OfTickers, frozen=True):
    """The candles of this length that overlap [start, end): ISO 8601, or Unix seconds, milliseconds or microseconds."""

    resolution: Resolution = Resolution.MINUTE_1
    start: datetime | int | None = None
    end: datetime | int | None = None


class Removing(Arguments, frozen=True):
    """What is older than `days`, rather than than the setting says. With `dry_run` it is only counted."""

    days: Annotated[int, msgspec.Meta(ge=1, le=36_500)] | None = None
    dry_run: bool = False


class Repairing(Arguments, frozen=True):
    """How many gaps at most are asked for in one run."""

    gaps: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 20


def read_arguments(kind: type[Arguments], given: Mapping[str, object]) -> Arguments:
    """Raises Impossible, with a sentence, for arguments that the job does not have or that are out of range."""
    try:
        return msgspec.convert(dict(given), kind)
    except msgspec.ValidationError as error:
        sentence, _, place = str(error).partition(" - at `$")
        field = place.strip("`.") or None
        raise Impossible(f"{field or 'The arguments'}: {sentence}.", field=field) from None


def written(arguments: Arguments) -> dict[str, object]:
    """What differs from the defaults, as it travels and is kept."""
    told: dict[str, object] = msgspec.to_builtins(arguments)
    return told
