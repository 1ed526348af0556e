"""Books: a chain without holes, sides in order, changes that rebuild the next state."""

from hypothesis import given
from hypothesis import strategies as st

from __tests__.simulator.talk import NOW_US
from cryptomarket.simulator.world import World

WORLD = World(1, 0.0, {}, 1.0, NOW_US)
NAMES = st.sampled_from(["BTC-PERPETUAL", "ETH-25DEC26", "BTC-25DEC26-80000-C", "ETH_BTC", "BTC-FS-27NOV26_PERP"])


@given(NAMES, st.integers(0, 100_000), st.integers(1, 30))
def test_a_change_turns_one_state_into_the_other(name: str, offset: int, jump: int) -> None:
    books, listing = WORLD.books, WORLD.listed[name]
    first = WORLD.quotes.step(listing, NOW_US) + offset
    sides = [dict(side) for side in books.sides(listing, first)]
    change = books.change(listing, first, first + jump)
    assert change is not None
    for side, name_of_side in zip(sides, ("bids", "asks"), strict=True):
        rows = change[name_of_side]
        assert isinstance(rows, list)
        for action, price, amount in rows:
            assert (price in side) == (action != "new")
            if action == "delete":
                assert amount == 0.0
                del side[price]
            else:
                side[price] = amount
    assert tuple(sides) == books.sides(listing, first + jump)
    assert change["prev_change_id"] == books.change_id(listing, first)
    assert change["change_id"] == books.change_id(listing, first + jump)


@given(NAMES, st.integers(0, 100_000))
def test_the_best_level_is_the_tickers(name: str, offset: int) -> None:
    listing = WORLD.listed[name]
    step = WORLD.quotes.step(listing, NOW_US) + offset
    bids, asks = WORLD.books.sides(listing, step)
    ticker = WORLD.tickers.at_step(listing, step)
    assert (max(bids), bids[max(bids)]) == (ticker["best_bid_price"], ticker["best_bid_amount"])
    assert (min(asks), asks[min(asks)]) == (ticker["best_ask_price"], ticker["best_ask_amount"])
    assert list(bids) == sorted(bids, reverse=True)
    assert list(asks) == sorted(asks)


def test_a_grouped_book_adds_up_what_falls_together() -> None:
    listing = WORLD.listed["BTC-PERPETUAL"]
    step = WORLD.quotes.step(listing, NOW_US)
    fine, coarse = (WORLD.books.grouped(listing, step, group, 20) for group in ("none", "10"))
    assert "type" not in fine
    assert "prev_change_id" not in fine
    for name in ("bids", "asks"):
        rows = coarse[name]
        assert isinstance(rows, list)
        assert all(price % 5.0 == 0 for price, _ in rows)
    whole = sum(WORLD.books.sides(listing, step)[0].values())
    every = WORLD.books.grouped(listing, step, "250", 20)["bids"]
    assert isinstance(every, list)
    assert sum(amount for _, amount in every) == whole
