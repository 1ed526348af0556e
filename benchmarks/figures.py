"""Figures of several rounds as one: the median, and between what it lay."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some rounds, the least and the most of them."""

    middle: float
    least: float
    most: float
    count: int

    def __str__(self) -> str:
        if self.count == 1:
            return spelled(self.middle)
        return f"{spelled(self.middle)} ({spelled(self.least)}–{spelled(self.most)})"


def spread(values: Sequence[float]) -> Spread:
    """Raises ValueError when there are none."""
    if not values:
        raise ValueError("no rounds, no figure")
    return Spread(median(values), min(values), max(values), len(values))


def ratios(values: Sequence[float], others: Sequence[float]) -> list[float]:
    """Each round's value over the other's of the same round. Raises ValueError unless there are as many of both."""
    return [value / other for value, other in zip(values, others, strict=True)]


def spelled(value: float) -> str:
    """With as many digits as can mean something: 1234, 123, 12.3, 1.23, 0.12."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
