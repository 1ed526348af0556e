"""Rounds as one figure: the median, the range, and ratios within a round."""

import pytest

from benchmarks.figures import ratios, spelled, spread


def test_the_median_stands_for_the_rounds_and_the_range_beside_it() -> None:
    """Promise: one odd round moves the range, never the figure."""
    found = spread([3.0, 1.0, 100.0, 2.0, 2.5])
    assert (found.middle, found.least, found.most, found.count) == (2.5, 1.0, 100.0, 5)
    assert str(found) == "2.50 (1.00–100)"


def test_one_round_claims_no_range() -> None:
    """Promise: a single round is not dressed up as several."""
    assert str(spread([7.0])) == "7.00"


def test_no_rounds_are_no_figure() -> None:
    """Promise: nothing is printed for what was not measured."""
    with pytest.raises(ValueError, match="no rounds"):
        spread([])


def test_ratios_are_taken_within_a_round() -> None:
    """Promise: what slows a whole round down, slows both sides of its ratio."""
    assert ratios([2.0, 20.0], [1.0, 10.0]) == [2.0, 2.0]
    with pytest.raises(ValueError, match="shorter"):
        ratios([1.0, 2.0], [1.0])


@pytest.mark.parametrize(
    ("value", "text"), [(1234567.8, "1,234,568"), (123.4, "123"), (12.34, "12.3"), (1.234, "1.23"), (-0.5, "-0.50")]
)
def test_figures_have_as_many_digits_as_they_mean(value: float, text: str) -> None:
    """Promise: tables do not pretend to a precision that nothing here has."""
    assert spelled(value) == text
