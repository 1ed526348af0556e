"""Which slot carries a ticker, and how long a channel lingers that nobody wants."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from cryptomarket.ingest.subscriptions import Linger, slot_of, spread

TICKERS = [f"T-{at}" for at in range(2000)]
names = st.text(min_size=1, max_size=20)


@given(names, st.sets(st.integers(0, 31), min_size=1))
def test_everyone_computes_the_same_slot_in_whatever_order_the_slots_are_named(ticker: str, slots: set[int]) -> None:
    """Promise: which slot carries a ticker is known without asking."""
    assert slot_of(ticker, sorted(slots)) == slot_of(ticker, sorted(slots, reverse=True))
    assert slot_of(ticker, slots) in slots


@given(names, st.sets(st.integers(0, 31), min_size=2))
def test_a_slot_less_moves_only_its_own_tickers(ticker: str, slots: set[int]) -> None:
    """Promise: when a slot goes, the channels of all others stay where they are."""
    carrier = slot_of(ticker, slots)
    other = next(slot for slot in sorted(slots) if slot != carrier)
    assert slot_of(ticker, slots - {other}) == carrier


def test_tickers_are_spread_over_all_slots() -> None:
    """Promise: market data is spread over the data slots."""
    count = Counter(slot_of(ticker, range(8)) for ticker in TICKERS)
    assert set(count) == set(range(8))
    assert max(count.values()) < 2 * min(count.values())


def test_every_slot_is_named_and_every_channel_held_once() -> None:
    """Promise: a thousand users of one ticker are one channel on one slot; a slot without channels is told so."""
    held = spread(((ticker, f"ticker.{ticker}.100ms") for ticker in TICKERS[:5] * 200), range(8))
    assert set(held) == set(range(8))
    assert sorted(channel for of_slot in held.values() for channel in of_slot) == sorted(
        f"ticker.{ticker}.100ms" for ticker in TICKERS[:5]
    )


def test_a_channel_lingers_after_the_last_want_and_then_goes() -> None:
    """Promise: when nobody wants it, it lingers 30 s and is dropped; who comes back in time costs no subscription."""
    linger = Linger(30.0)
    assert linger.held({"a", "b"}, 100.0) == {"a", "b"}
    assert linger.held({"a"}, 129.0) == {"a", "b"}
    assert linger.held({"a"}, 130.0) == {"a"}
    assert linger.held({"a", "b"}, 131.0) == {"a", "b"}


def test_without_linger_what_is_not_wanted_is_not_held() -> None:
    """Promise: a linger of nothing is none."""
    linger = Linger(0.0)
    assert linger.held({"a"}, 1.0) == {"a"}
    assert linger.held(set(), 1.0) == set()
