"""The exchange as a whole: admission, and a conversation that can be repeated to the letter."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from __tests__.simulator.talk import NOW_US, Talk
from cryptomarket.simulator.exchange import Exchange
from cryptomarket.simulator.options import SimulatorOptions

METHODS = st.sampled_from(["public/test", "public/get_time", "public/status", "public/get_currencies"])


def test_the_33rd_connection_of_an_address_is_refused() -> None:
    exchange = Exchange(SimulatorOptions(), NOW_US)
    assert exchange.admits(31) is None
    assert exchange.admits(32) == 429
    assert exchange.journal.connections_refused == 1


@pytest.mark.no_cover  # many examples of what other tests run as well
@given(st.lists(st.tuples(METHODS, st.floats(0, 30)), max_size=12))
def test_the_same_conversation_gets_the_same_answers(steps: list[tuple[str, float]]) -> None:
    said = []
    for _ in range(2):
        talk = Talk()
        talk.subscribe("deribit_price_index.btc_usd", "ticker.ETH-25DEC26.100ms")
        for method, seconds in steps:
            talk.pass_time(seconds)
            talk.result(method)
        said.append([getattr(order, "text", order) for order in talk.orders])
    assert said[0] == said[1]


def test_a_frame_for_a_connection_that_is_gone_is_ignored(talk: Talk) -> None:
    talk.exchange.disconnect(talk.connection.id)
    assert talk.exchange.hear(talk.connection.id, b'{"id":1,"method":"public/test"}', talk.now_us) == []


def test_time_may_be_passed_at_any_pace() -> None:
    """A driver that wakes late tells less often but never twice and never out of order."""
    talk = Talk()
    talk.subscribe("deribit_price_index.btc_usd")
    for late_us in (100_000, 7_300_000, 1, 2_500_000):
        talk.now_us += late_us
        talk.take(talk.exchange.pass_time(talk.now_us))
    times = [data["timestamp"] for data in talk.notices("deribit_price_index.btc_usd")]
    assert times == sorted(set(times))
