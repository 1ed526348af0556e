"""Instruments that a recording speaks of and the day's catalogue does not list."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from cryptomarket.simulator.catalogue import MONTHS
from cryptomarket.simulator.channels import parse
from cryptomarket.simulator.listing import Listing

_DATED: Final = re.compile(r"(?P<family>[A-Z0-9_]+)-(?P<day>\d{1,2})(?P<month>[A-Z]{3})(?P<year>\d{2})(?P<rest>.*)")
_OPTION: Final = re.compile(r"-(?P<strike>[0-9d]+)-(?P<side>[CP])")


def recorded_listings(channels: Iterable[str], listed: Iterable[Listing]) -> Iterator[Listing]:
    """Listings for the dated instruments that channels name, modelled on a listed sibling.

    A name without a sibling (a coin that is not in the catalogue) gets none; its channels can be followed all the same.
    """
    siblings = {(item.name.partition("-")[0], item.kind): item for item in listed if not item.is_perpetual}
    names = {parsed.subject for name in channels if (parsed := parse(name)) is not None}
    for name in sorted(names):
        found = _DATED.fullmatch(name)
        if found is None or found["month"] not in MONTHS:
            continue
        option = _OPTION.fullmatch(found["rest"])
        sibling = siblings.get((found["family"], "option" if option else "future"))
        if sibling is None or (found["rest"] and option is None):
            continue
        day = datetime(2000 + int(found["year"]), MONTHS.index(found["month"]) + 1, int(found["day"]), 8, tzinfo=UTC)
        listing = replace(sibling, name=name, expiration_ms=int(day.timestamp() * 1000))
        if option is not None:
            strike = float(option["strike"].replace("d", "."))
            listing = replace(listing, strike=strike, is_call=option["side"] == "C")
        yield listing
