"""Two accounts of the same candles laid beside each other: ours, and the exchange's own. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from cryptomarket.market.candles import Candle

PRICES = ("open", "high", "low", "close")
"""What is compared. How many ticks we heard, and how much was traded, are told by one side each."""


class Verdict(StrEnum):
    """What is to be said of a candle of which the two do not say the same."""

    MISSING_HERE = "missing_here"
    MISSING_THERE = "missing_there"
    # Nothing was traded, the exchange has filled the candle in, and we have none: nobody is wrong.
    SYNTHETIC = "synthetic"
    DIFFERING = "differing"


class Both(NamedTuple):
    """One price, as each side tells it."""

    here: Decimal
    there: Decimal


@dataclass(frozen=True, slots=True)
class Difference:
    """The candle of [start_ms, end_ms), of which the two do not say the same. `prices` has those that differ, where
    both have the candle. `is_synthetic` says that the exchange has filled its own in.
    """

    start_ms: int
    end_ms: int
    verdict: Verdict
    prices: Mapping[str, Both] = field(default_factory=dict)
    is_synthetic: bool = False


class Comparison(NamedTuple):
    """How many candles either side has, and those of them that differ, oldest first. All others agree."""

    candles: int
    differences: list[Difference]


def compare(here: Iterable[Candle], there: Iterable[Candle]) -> Comparison:
    """Compares candles of one ticker and one resolution by the time at which they begin, to the digit. Neither side
    needs an order; each has at most one candle of a time.
    """
    ours, theirs = {each.start_ms: each for each in here}, {each.start_ms: each for each in there}
    times_ms = sorted(ours.keys() | theirs.keys())
    judged = (_judged(ours.get(start_ms), theirs.get(start_ms)) for start_ms in times_ms)
    return Comparison(len(times_ms), [difference for difference in judged if difference is not None])


def _judged(ours: Candle | None, theirs: Candle | None) -> Difference | None:
    if ours is None:
        return None if theirs is None else _missing_here(theirs)
    if theirs is None:
        return Difference(ours.start_ms, ours.end_ms, Verdict.MISSING_THERE)
    both = {name: Both(getattr(ours, name), getattr(theirs, name)) for name in PRICES}
    prices = {name: price for name, price in both.items() if price.here != price.there}
    if not prices:
        return None
    return Difference(ours.start_ms, ours.end_ms, Verdict.DIFFERING, prices, theirs.is_synthetic)


def _missing_here(theirs: Candle) -> Difference:
    verdict = Verdict.SYNTHETIC if theirs.is_synthetic else Verdict.MISSING_HERE
    return Difference(theirs.start_ms, theirs.end_ms, verdict, is_synthetic=theirs.is_synthetic)
