"""Statistics and candles against the plain arithmetic of what was stored."""

import json
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from __tests__.history.outside import Names, open_to_all
from __tests__.history.test_rows import insert_backfill
from __tests__.history.world import (
    NOW_MS,
    StoppedClock,
    heard,
    index_tick,
    live,
    new_bus,
    new_cache,
    option_tick,
    publish,
    writing,
)
from cryptomarket.backplane.memory import MemoryBus
from cryptomarket.db import Database
from cryptomarket.errors import Impossible
from cryptomarket.history.answers import Answer
from cryptomarket.history.figures import MAX_CANDLES, Figures, Statistics, average, plain
from cryptomarket.history.parts import build_history
from cryptomarket.history.repository import Repository
from cryptomarket.market.candles import PricePoint, Resolution
from cryptomarket.market.ticks import Gap, GapCause

MINUTE = Resolution.MINUTE_1
T = NOW_MS - NOW_MS % 60_000 - 600_000
"""Ten minutes before the minute that is now."""


@pytest.fixture
def bus() -> MemoryBus:
    return new_bus()


@pytest.fixture
def figures(repository: Repository, bus: MemoryBus, stopped: StoppedClock) -> Figures:
    return build_history(repository, bus, new_cache(), open_to_all(), Names(), stopped.clock).figures


def read(answer: Answer) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(answer.body, parse_float=Decimal)
    return told


@pytest.mark.no_cover  # many examples of what other tests run as well
@given(
    pieces=st.lists(st.lists(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12)))
)
def test_statistics_are_those_of_exact_arithmetic(pieces: list[list[Decimal]]) -> None:
    """Promise: whatever the pieces, the average is that of the exact sum, to 28 digits."""
    found = Statistics()
    for piece in pieces:
        found.add([PricePoint(at, price, 0) for at, price in enumerate(piece)])
    prices = [price for piece in pieces for price in piece]
    assert found.count == len(prices)
    if not prices:
        assert (average(found.totals), found.min, found.first) == (None, None, None)
        return
    assert (found.min, found.max) == (min(prices), max(prices))
    assert found.first is not None
    assert found.last is not None
    assert (found.first.price, found.last.price) == (prices[0], prices[-1])
    exact = sum(map(Fraction, prices), Fraction(0)) / len(prices)
    told = average(found.totals)
    assert told is not None
    assert abs(Fraction(told) - exact) <= abs(exact) / 10**27


async def test_the_statistics_of_a_range(figures: Figures, repository: Repository) -> None:
    """Promise: count, min, max, avg, first and last are those of [start, end), compared as numbers, not as text."""
    prices = ["9.5", "1.0E+2", "85500.000000001", "100"]
    await repository.keep(heard([index_tick(T + at, price) for at, price in enumerate(prices)]))
    told = read(await figures.stats("btc_usd", T, T + 3))
    assert told["count"] == 3
    assert (told["min"], told["max"]) == (Decimal("9.5"), Decimal("85500.000000001"))
    assert told["avg"] == Decimal("28536.50000000033333333333333")
    assert (told["first"], told["last"]["timestamp"]) == ({"timestamp": T, "price": Decimal("9.5")}, T + 2)
    assert (told["start"], told["end"], told["bounds"], told["complete"]) == (T, T + 3, "[start,end)", False)


@pytest.mark.parametrize(
    ("price", "spelled"),
    [("85500.10", "85500.1"), ("8.55E+4", "85500"), ("-0.0", "0"), ("0E-8", "0"), ("1E-400", "1E-400"),
     ("1E+300", "1E+300"), ("100", "100"), ("-0.0120", "-0.012")],
)  # fmt: skip
def test_a_number_has_one_spelling(price: str, spelled: str) -> None:
    """Promise: whoever has counted it, a figure is the same text, of whatever size."""
    assert str(plain(Decimal(price))) == spelled


async def test_statistics_are_one_text_whoever_counts(
    figures: Figures, repository: Repository, database: Database
) -> None:
    """Promise: a row beside the stream, which counts for nothing, changes no letter of an answer."""
    prices = ["85500.10", "85500.1", "8.55E+4"]
    await repository.keep(heard([index_tick(T + at, price) for at, price in enumerate(prices)]))
    before = (await figures.stats("btc_usd", T, T + 3)).body
    await insert_backfill(database, T + 1)
    assert (await figures.stats("btc_usd", T, T + 3)).body == before
    assert b'"min":85500,"max":85500.1,' in before


async def test_what_never_had_a_price_is_not_counted(figures: Figures, repository: Repository) -> None:
    """Promise: a missing price is no zero."""
    await repository.keep(heard([option_tick(T)]))
    told = read(await figures.stats("XRP_USDC-30JUN26-0d625-C", None, None))
    assert (told["count"], told["min"], told["avg"], told["first"]) == (0, None, None, None)
    assert read(await figures.candles("XRP_USDC-30JUN26-0d625-C", MINUTE, None, None))["data"] == []


async def test_candles_of_the_stored_ticks(
    figures: Figures, bus: MemoryBus, repository: Repository, stopped: StoppedClock
) -> None:
    """Promise: each candle that overlaps the range is told whole, without those in which nothing was heard; `closed`
    says that its time is over.
    """
    async with writing(bus, repository, stopped.clock):
        await publish(bus, live(T), *(index_tick(T + ms, str(price)) for ms, price in (
            (0, 5), (1, 9), (59_998, 2), (59_999, 3), (120_000, 7), (600_000, 8)
        )))  # fmt: skip
    told = read(await figures.candles("btc_usd", MINUTE, T + 30_000, NOW_MS))
    first, second, running = told["data"]
    assert first == {
        "timestamp": T, "open": 5, "high": 9, "low": 2, "close": 3, "ticks": 4, "closed": True, "revised": False,
        "source": "stream", "synthetic": False,
    }  # fmt: skip
    assert (second["timestamp"], second["ticks"], second["closed"]) == (T + 120_000, 1, True)
    assert (running["timestamp"], running["closed"]) == (T + 600_000, False)
    assert (told["resolution"], told["count"], told["complete"], told["gaps"]) == ("1", 3, True, [])
    assert (told["start"], told["end"]) == (T + 30_000, NOW_MS)
    assert read(await figures.candles("btc_usd", Resolution.DAY_1, T, T + 1))["data"][0]["ticks"] == 6


async def test_a_candle_is_closed_when_all_of_it_is_stored(
    figures: Figures, bus: MemoryBus, repository: Repository, stopped: StoppedClock
) -> None:
    """Promise: what a writer that is behind still has changes no candle that was called closed."""
    stopped.now_ms = T + 90_000
    async with writing(bus, repository, stopped.clock):
        await publish(bus, live(T), index_tick(T, "5"), index_tick(T + 1000, "6"))
    await publish(bus, index_tick(T + 30_000, "99"), index_tick(T + 59_000, "1"))
    [before] = read(await figures.candles("btc_usd", MINUTE, T, T + 60_000))["data"]
    async with writing(bus, repository, stopped.clock):
        pass
    [after] = read(await figures.candles("btc_usd", MINUTE, T, T + 60_000))["data"]
    assert (before["ticks"], before["high"], before["closed"]) == (2, 6, False)
    assert (after["ticks"], after["high"], after["closed"]) == (4, 99, True)


@pytest.mark.parametrize(("last_ms", "is_final"), [(T + 60_000, True), (T + 59_999, False)])
async def test_figures_are_kept_only_where_no_row_can_come_in(
    figures: Figures, bus: MemoryBus, repository: Repository, stopped: StoppedClock, last_ms: int, *, is_final: bool
) -> None:
    """Promise: of a range beyond the last tick nothing is said for ever: the exchange's clock may be behind ours."""
    async with writing(bus, repository, stopped.clock):
        await publish(bus, index_tick(T), live(T), index_tick(last_ms))
    for answer in (
        await figures.stats("btc_usd", T, T + 60_000),
        await figures.candles("btc_usd", MINUTE, T, T + 60_000),
    ):
        assert read(answer)["complete"] is True
        assert answer.is_closed is is_final


async def test_a_hole_in_a_candle_is_told(figures: Figures, repository: Repository) -> None:
    """Promise: a gap in the rest of a candle, though outside of what was asked, makes the answer incomplete."""
    await repository.keep(heard([index_tick(T), Gap("btc_usd", T, T + 9, GapCause.RESTART), index_tick(T + 9)]))
    told = read(await figures.candles("btc_usd", MINUTE, T + 30_000, T + 31_000))
    assert ([gap["to_ms"] for gap in told["gaps"]], told["complete"]) == ([T + 9], False)


async def test_other_sources_fill_the_gap_alone(figures: Figures, repository: Repository, database: Database) -> None:
    """Promise: rows that were not streamed count inside a recorded gap and nowhere else, and the candle says so."""
    await repository.keep(
        heard([index_tick(T, "5"), Gap("btc_usd", T, T + 9, GapCause.RESTART), index_tick(T + 9, "6")])
    )
    await insert_backfill(database, T + 5, T + 15)
    [candle] = read(await figures.candles("btc_usd", MINUTE, T, T + 60_000))["data"]
    assert (candle["low"], candle["ticks"], candle["source"]) == (1, 3, "backfill")
    assert read(await figures.stats("btc_usd", T, T + 60_000))["count"] == 3


async def test_candles_have_a_bound(figures: Figures, repository: Repository) -> None:
    """Promise: too many candles are a refusal with a sentence; without a start it is the last thousand."""
    await repository.keep(heard([index_tick(0), index_tick(T)]))
    with pytest.raises(Impossible, match="has 10001 candles"):
        await figures.candles("btc_usd", MINUTE, T - MAX_CANDLES * 60_000, T + 1)
    told = read(await figures.candles("btc_usd", MINUTE, None, None))
    newest_ms = NOW_MS - NOW_MS % 60_000
    assert (told["start"], told["count"]) == (newest_ms - 999 * 60_000, 1)
    later = read(await figures.candles("btc_usd", MINUTE, None, NOW_MS + 3 * 86_400_000))
    assert (later["start"], later["count"]) == (told["start"], 1), "not a window of the future"
    with pytest.raises(Impossible, match="future"):
        await figures.candles("btc_usd", MINUTE, NOW_MS + 1, None)
    assert read(await figures.candles("eth_usd", MINUTE, None, None))["data"] == []
