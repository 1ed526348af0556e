"""Credits run out and come back as the rate-limit article says."""

from hypothesis import given
from hypothesis import strategies as st

from cryptomarket.simulator.credits import DEFAULT_POOLS, Credits


def test_a_burst_of_a_hundred_then_twenty_a_second() -> None:
    purse = Credits(DEFAULT_POOLS)
    assert sum(purse.take("a", "public/ticker", 0) for _ in range(200)) == 100
    assert sum(purse.take("a", "public/ticker", 1_000_000) for _ in range(200)) == 20


def test_subscribing_has_a_pool_of_its_own() -> None:
    purse = Credits(DEFAULT_POOLS)
    assert sum(purse.take("a", "public/subscribe", 0) for _ in range(50)) == 10
    assert not purse.take("a", "private/subscribe", 0), "both subscribe methods draw from one pool"
    assert purse.take("a", "public/ticker", 0)


def test_callers_do_not_share() -> None:
    purse = Credits(DEFAULT_POOLS)
    while purse.take("a", "public/ticker", 0):
        pass
    assert purse.take("b", "public/ticker", 0)


def test_callers_who_are_done_are_forgotten() -> None:
    """Accounts are without bound; what is remembered of them is not."""
    purse = Credits(DEFAULT_POOLS)
    for number in range(60_000):
        assert purse.take(f"demo-{number}", "public/test", number * 1_000)
    purse.take("busy", "public/test", 60_000_000)
    assert sum(purse.take("busy", "public/test", 60_000_000) for _ in range(200)) == 99


@given(st.lists(st.integers(0, 50_000), min_size=1, max_size=300))
def test_no_pattern_of_requests_beats_the_pool(gaps_us: list[int]) -> None:
    purse, now_us, paid = Credits(DEFAULT_POOLS), 0, 0
    for gap_us in gaps_us:
        now_us += gap_us
        paid += purse.take("a", "public/ticker", now_us)
    assert paid <= 100 + now_us / 1e6 * 20 + 1
