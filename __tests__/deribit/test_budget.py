"""Credits: never more than the exchange gives, whatever is asked whenever."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryptomarket.deribit.budget import INSTRUMENTS, KEPT_BACK, ORDINARY, SUBSCRIBING, Bucket, Budget, Tariff

TARIFF_OF = {
    "public/ticker": ORDINARY,
    "public/subscribe": SUBSCRIBING,
    "public/get_instruments": INSTRUMENTS,
}


def exhaust(budget: Budget, method: str, now_s: float) -> int:
    paid = 0
    while budget.take(method, now_s) == 0:
        paid += 1
    return paid


@given(
    st.lists(
        st.tuples(st.floats(0, 3), st.sampled_from(sorted(TARIFF_OF)), st.integers(1, 150)), min_size=1, max_size=40
    ),
    st.floats(0.1, 1),
)
def test_no_window_of_time_ever_costs_more_than_the_pool_and_its_refill(
    steps: list[tuple[float, str, int]], share: float
) -> None:
    budget, now_s = Budget(now_s=0.0, share=share), 0.0
    spent: dict[str, list[tuple[float, int]]] = {tariff.name: [] for tariff in TARIFF_OF.values()}
    for pause_s, method, times in steps:
        now_s += pause_s
        for _ in range(times):
            if budget.take(method, now_s) == 0:
                spent[TARIFF_OF[method].name].append((now_s, TARIFF_OF[method].cost))
    for tariff in TARIFF_OF.values():
        # Over every window at once: what was spent less what was refilled, against its lowest value so far.
        total, lowest = 0.0, 0.0
        for at_s, cost in spent[tariff.name]:
            lowest = min(lowest, total - at_s * tariff.refill_per_s)
            total += cost
            assert total - at_s * tariff.refill_per_s - lowest <= tariff.pool + 1e-3


@given(st.sampled_from(sorted(TARIFF_OF)), st.floats(0, 100))
def test_what_it_says_to_wait_is_enough_and_not_more(method: str, start_s: float) -> None:
    budget = Budget(now_s=start_s)
    exhaust(budget, method, start_s)
    wait_s = budget.take(method, start_s)
    assert wait_s > 0
    assert budget.take(method, start_s + wait_s * 0.9) > 0
    assert budget.take(method, start_s + wait_s + 1e-6) == 0


@pytest.mark.parametrize(("method", "tariff"), TARIFF_OF.items())
def test_the_burst_is_the_pool_less_what_is_kept_back(method: str, tariff: Tariff) -> None:
    assert exhaust(Budget(now_s=0.0), method, 0.0) == (tariff.pool - KEPT_BACK[tariff.name]) // tariff.cost


def test_heartbeats_are_answered_out_of_what_nobody_else_may_take() -> None:
    budget = Budget(now_s=0.0)
    exhaust(budget, "public/ticker", 0.0)
    for _ in range(KEPT_BACK["ordinary"] // ORDINARY.cost):
        budget.answer(0.0)
    assert budget.balance(0.0) == 0


def test_when_the_exchange_says_that_nothing_is_left_nothing_is_left() -> None:
    budget = Budget(now_s=0.0)
    budget.drain(0.0)
    assert all(budget.take(method, 0.0) > 0 for method in TARIFF_OF)
    assert budget.take("public/ticker", 0.56) == 0


def test_a_smaller_share_is_a_smaller_pool_and_a_slower_refill() -> None:
    budget = Budget(now_s=0.0)
    budget.set_share(0.3, 0.0)
    assert budget.balance(0.0) == 15_000
    exhaust(budget, "public/ticker", 0.0)
    assert budget.take("public/ticker", 0.0) == pytest.approx(500 / 3_000)
    budget.set_share(1.0, 0.0)
    assert budget.balance(0.0) == 5_000


@pytest.mark.parametrize("share", [0.0, -1.0, 1.5])
def test_a_share_is_a_part_of_one(share: float) -> None:
    with pytest.raises(ValueError, match="share"):
        Budget(now_s=0.0, share=share)


def test_a_clock_that_goes_backwards_gives_nothing() -> None:
    bucket = Bucket(100, 10, now_s=5.0)
    bucket.spend(100, 5.0)
    assert bucket.balance(1.0) == 0
    assert bucket.balance(6.0) == 10
