"""An instrument's state is a function of its step, and its trades are one sequence."""

from hypothesis import given
from hypothesis import strategies as st

from __tests__.simulator.talk import NOW_US
from cryptomarket.simulator.world import World

WORLD = World(1, 0.0, {}, 1.0, NOW_US)
NAMES = st.sampled_from(["BTC-PERPETUAL", "ETH-25DEC26", "BTC-25DEC26-80000-C", "ETH_BTC", "BTC-FS-27NOV26_PERP"])
LATER = st.integers(0, 3_600_000_000)


@given(NAMES, LATER)
def test_a_step_holds_for_the_moment_it_is_asked_for(name: str, later_us: int) -> None:
    quotes, listing = WORLD.quotes, WORLD.listed[name]
    step = quotes.step(listing, NOW_US + later_us)
    assert quotes.begins_us(listing, step) <= NOW_US + later_us < quotes.begins_us(listing, step + 1)


@given(NAMES, LATER)
def test_the_spread_is_never_crossed(name: str, later_us: int) -> None:
    quotes, listing = WORLD.quotes, WORLD.listed[name]
    step = quotes.step(listing, NOW_US + later_us)
    mark, _ = quotes.mark(listing, quotes.begins_us(listing, step) / 1e6)
    assert quotes.bid_under(listing, step, mark) < quotes.ask_over(listing, step, mark)


@given(NAMES, LATER)
def test_trades_come_one_after_another(name: str, later_us: int) -> None:
    quotes, listing = WORLD.quotes, WORLD.listed[name]
    number = quotes.trade_number(listing, NOW_US + later_us)
    assert number is not None
    before, trade, after = (quotes.trade(listing, number + offset) for offset in (-1, 0, 1))
    assert before.timestamp_ms <= trade.timestamp_ms <= after.timestamp_ms
    assert trade.timestamp_ms * 1000 <= NOW_US + later_us
    assert quotes.last_price(listing, NOW_US + later_us) == trade.price
    assert (trade.tick_direction in (0, 1)) == (trade.price >= before.price) or trade.price == before.price


def test_what_never_traded_has_no_last_price() -> None:
    listing = next(item for item in WORLD.listed.values() if item.trades_s is None)
    assert WORLD.quotes.last_price(listing, NOW_US) is None
    assert WORLD.quotes.trade_number(listing, NOW_US) is None
