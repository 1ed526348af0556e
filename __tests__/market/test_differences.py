"""Where two accounts of the same candles differ is what a look at each of their times says."""

from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from cryptomarket.market.candles import Candle
from cryptomarket.market.differences import PRICES, Both, Difference, Verdict, compare

MINUTE_MS = 60_000
prices = st.sampled_from([Decimal(85500), Decimal("8.55E+4"), Decimal("85500.000000001"), Decimal(1)])


def candle(minute: int, price: str = "1", **changes: object) -> Candle:
    """A minute in which the price stood still."""
    start_ms, cost = minute * MINUTE_MS, Decimal(price)
    flat = Candle(start_ms, start_ms + MINUTE_MS, cost, cost, cost, cost, 1, start_ms, start_ms)
    return replace(flat, **changes)  # type: ignore[arg-type]  # a test's own


candles = st.builds(
    lambda minute, changes, synthetic: candle(minute, **changes, is_synthetic=synthetic),
    st.integers(0, 8),
    st.dictionaries(st.sampled_from(PRICES), prices),
    st.booleans(),
)
accounts = st.lists(candles, unique_by=lambda each: each.start_ms, max_size=8)


@given(here=accounts, there=accounts)
def test_each_time_is_judged_once_and_by_what_both_say_of_it(here: list[Candle], there: list[Candle]) -> None:
    """Promise: of every candle that either side has, exactly one thing is true: both tell the same prices, one lacks
    it, it was filled in where we have none, or these prices differ, told as each side has them.
    """
    found = compare(here, there)
    assert found.candles == len({each.start_ms for each in [*here, *there]})
    assert [each.start_ms for each in found.differences] == sorted({each.start_ms for each in found.differences})
    told = {each.start_ms: each for each in found.differences}
    for start_ms in range(0, 9 * MINUTE_MS, MINUTE_MS):
        ours = [each for each in here if each.start_ms == start_ms]
        theirs = [each for each in there if each.start_ms == start_ms]
        verdict = told[start_ms].verdict if start_ms in told else None
        if not ours and theirs:
            assert verdict is (Verdict.SYNTHETIC if theirs[0].is_synthetic else Verdict.MISSING_HERE)
        elif ours and not theirs:
            assert verdict is Verdict.MISSING_THERE
        elif ours and theirs:
            unlike = [name for name in PRICES if getattr(ours[0], name) != getattr(theirs[0], name)]
            assert (verdict is Verdict.DIFFERING) == bool(unlike)
            if unlike:
                both = {name: (getattr(ours[0], name), getattr(theirs[0], name)) for name in unlike}
                assert (told[start_ms].prices, told[start_ms].is_synthetic) == (both, theirs[0].is_synthetic)
        else:
            assert verdict is None


@given(account=accounts)
def test_an_account_agrees_with_itself(account: list[Candle]) -> None:
    """Promise: what is the same differs in nothing, in whatever order it comes, and whatever only one side knows."""
    other = [replace(each, ticks=0, source="backfill", is_revised=not each.is_revised) for each in reversed(account)]
    assert compare(account, other) == (len(account), [])


def test_a_difference_of_the_last_digit_is_told_and_one_of_spelling_is_none() -> None:
    """Promise: prices are compared as decimals."""
    here = [candle(0, "8.55E+4"), candle(1, "85500.000000001")]
    there = [candle(0, "85500.0"), candle(1, "85500", high=Decimal("85500.000000001"))]
    both = Both(Decimal("85500.000000001"), Decimal(85500))
    assert compare(here, there).differences == [
        Difference(MINUTE_MS, 2 * MINUTE_MS, Verdict.DIFFERING, dict.fromkeys(("open", "low", "close"), both))
    ]
