"""Candles are what a brute-force look at the prices says, however and in whatever pieces these come."""

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryptomarket.market.candles import GRACE_MS, Candle, Folding, PricePoint, Resolution, begin, fold

MINUTE = Resolution.MINUTE_1
DAY_MS = 86_400_000

resolutions = st.sampled_from(list(Resolution))
points = st.builds(
    PricePoint,
    timestamp_ms=st.integers(0, 3 * DAY_MS) | st.sampled_from([0, 59_999, 60_000, 60_001, 179_999, 180_000, DAY_MS]),
    price=st.decimals(-10, 10, places=3) | st.sampled_from([Decimal("8.55E+4"), Decimal("85500.000000001")]),
    received_us=st.integers(0, 5 * DAY_MS * 1000),
    source=st.sampled_from(["stream", "collected", "backfill"]),
)


def brute(given_points: list[PricePoint], resolution: Resolution) -> list[Candle]:
    """Each candle looked for on its own among all points, by the definition."""
    length_ms = {"1D": 1440}.get(resolution.value) or int(resolution.value)
    length_ms *= 60_000
    candles = []
    for start_ms in sorted({point.timestamp_ms // length_ms * length_ms for point in given_points}):
        end_ms = start_ms + length_ms
        mine = [point for point in given_points if start_ms <= point.timestamp_ms < end_ms]
        mine.sort(key=lambda point: point.timestamp_ms)
        sources = [source for source in ("stream", "collected", "backfill") if source in {p.source for p in mine}]
        candles.append(
            Candle(
                start_ms,
                end_ms,
                open=mine[0].price,
                high=max(point.price for point in mine),
                low=min(point.price for point in mine),
                close=mine[-1].price,
                ticks=len(mine),
                first_ms=mine[0].timestamp_ms,
                last_ms=mine[-1].timestamp_ms,
                source=sources[-1],
                is_revised=any(point.received_us >= (end_ms + GRACE_MS) * 1000 for point in mine),
            )
        )
    return candles


@given(given_points=st.lists(points, max_size=60), resolution=resolutions)
def test_prices_in_any_order_fold_to_what_brute_force_finds(
    given_points: list[PricePoint], resolution: Resolution
) -> None:
    """Promise: late or early, each price finds its place: open, high, low, close and count are those of the time."""
    found: dict[int, Candle] = {}
    for point in given_points:
        start_ms = resolution.start_of(point.timestamp_ms)
        found[start_ms] = fold(found[start_ms], point) if start_ms in found else begin(point, resolution)
    assert [found[start_ms] for start_ms in sorted(found)] == brute(given_points, resolution)


@given(
    given_points=st.lists(points, max_size=60), resolution=resolutions, cuts=st.lists(st.integers(0, 60), max_size=5)
)
def test_pieces_in_order_fold_to_the_same(
    given_points: list[PricePoint], resolution: Resolution, cuts: list[int]
) -> None:
    """Promise: it does not matter into which pieces a range is cut on its way from the database."""
    ordered = sorted(given_points, key=lambda point: point.timestamp_ms)
    bounds = [0, *sorted(min(cut, len(ordered)) for cut in cuts), len(ordered)]
    folding = Folding(resolution)
    candles: list[Candle] = []
    for begins, ends in pairwise(bounds):
        candles += folding.add(ordered[begins:ends])
    candles += folding.rest()
    assert candles == brute(ordered, resolution)
    assert list(folding.rest()) == []


def test_a_price_that_comes_after_its_candle_was_closed_revises_it() -> None:
    """Promise: a late tick changes the candle, and the candle says so; one in time leaves no such mark."""
    in_time = begin(PricePoint(59_000, Decimal(5), 69_999_999), MINUTE)
    assert not in_time.is_revised
    late = fold(in_time, PricePoint(58_000, Decimal(9), 70_000_000))
    assert (late.open, late.high, late.close) == (Decimal(9), Decimal(9), Decimal(5))
    assert late.is_revised


@pytest.mark.parametrize("timestamp_ms", [-1, 60_000])
def test_a_price_of_another_time_is_refused(timestamp_ms: int) -> None:
    """Promise: the end of a candle is not of it; no price is counted twice."""
    with pytest.raises(ValueError, match="is not in"):
        fold(begin(PricePoint(0, Decimal(1), 0), MINUTE), PricePoint(timestamp_ms, Decimal(1), 0))


def test_there_are_the_twelve_resolutions_of_the_exchange() -> None:
    """Promise: those of the contract, no more; days begin at midnight UTC."""
    assert [each.value for each in Resolution] == [*map(str, (1, 3, 5, 10, 15, 30, 60, 120, 180, 360, 720)), "1D"]
    assert Resolution.DAY_1.start_of(DAY_MS + 1) == DAY_MS
    assert all(DAY_MS % each.length_ms == 0 for each in Resolution)
