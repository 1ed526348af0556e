"""What has a price: instruments and indices, and how their names are written."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

MAX_NAME_LENGTH = 64
_INDEX_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)?_[a-z0-9]+")
_INSTRUMENT_NAME = re.compile(r"[A-Z0-9]+(?:_[A-Z0-9]+)?(?:-[A-Za-z0-9_.]+)*")


class Kind(StrEnum):
    """What an instrument is.

    Deribit's `future` with the settlement period `perpetual` is `perpetual` here, and its `future_combo` and
    `option_combo` are both `combo` (docs.deribit.com/api-reference/market-data/public-get_instruments).
    """

    INDEX = "index"
    FUTURE = "future"
    PERPETUAL = "perpetual"
    OPTION = "option"
    SPOT = "spot"
    COMBO = "combo"


class Exchange(StrEnum):
    """Which exchange is behind. A store, a key and a token belong to exactly one of them."""

    PRODUCTION = "production"
    TEST = "test"
    SIMULATOR = "simulator"


@dataclass(frozen=True, slots=True)
class Instrument:
    """A thing with a price. `name` is the exchange's spelling, and what users call the ticker.

    Times are milliseconds since the Unix epoch; `expiration_ms` is None where the thing never expires.
    An index has no currencies of settlement, no tick size and no life.
    """

    name: str
    kind: Kind
    base_currency: str | None = None
    quote_currency: str | None = None
    settlement_currency: str | None = None
    index_name: str | None = None
    tick_size: Decimal | None = None
    contract_size: Decimal | None = None
    strike: Decimal | None = None
    option_type: str | None = None
    state: str | None = None
    is_active: bool = True
    creation_ms: int | None = None
    expiration_ms: int | None = None


def folded(name: str) -> str:
    """The key under which a name is looked up: case-folded, so that `btc-perpetual` finds `BTC-PERPETUAL`.

    Never upper-cased: linear options carry a small `d` for the decimal point (`XRP_USDC-30JUN26-0d625-C`).
    """
    return name.casefold()


def spellings(name: str) -> Sequence[str]:
    """How the exchange may spell an instrument: in capitals but for the `d` between two digits, which is the decimal
    point of a linear option's strike (`XRP_USDC-30JUN26-0d625-C`), or as given.
    """
    letters = list(name.upper())
    for at in range(1, len(letters) - 1):
        if letters[at] == "D" and letters[at - 1].isdigit() and letters[at + 1].isdigit():
            letters[at] = "d"
    return list(dict.fromkeys(("".join(letters), name)))


def looks_like_a_name(name: str) -> bool:
    """Whether text could be the name of an index or an instrument, in any case. Guards what the exchange is asked."""
    if not 0 < len(name) <= MAX_NAME_LENGTH or not name.isascii():
        return False
    return bool(_INDEX_NAME.fullmatch(name.lower()) or _INSTRUMENT_NAME.fullmatch(name.upper()))


def looks_like_an_index(name: str) -> bool:
    """Whether text could be the name of an index, in any case."""
    return looks_like_a_name(name) and bool(_INDEX_NAME.fullmatch(name.lower()))


class Directory(Protocol):
    """Which tickers exist. Served by the catalogue, used by everyone who takes a name from outside."""

    async def resolve(self, name: str) -> Instrument:
        """The instrument of this name in any case; asks the exchange on a miss.

        Raises UnknownTicker, naming the nearest known ones, and ExchangeUnavailable when it can't be found out.
        """
        ...

    def known(self, name: str) -> Instrument | None:
        """The instrument of this name if it is known already. Asks nobody."""
        ...

    def nearest(self, name: str, count: int = 3) -> Sequence[str]:
        """The known names most like this one, best first."""
        ...

    def forget(self, name: str) -> None:
        """Takes a name out: the exchange has refused it."""
        ...
