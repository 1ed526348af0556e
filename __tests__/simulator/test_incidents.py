"""Faults on connections, requests and the exchange as a whole."""

import pytest

from __tests__.simulator.talk import Talk
from cryptomarket.simulator.faults import Fault
from cryptomarket.simulator.outgoing import Stall


def strike(talk: Talk, *faults: Fault, seconds: float = 0.1) -> None:
    talk.exchange.faults.add(faults, talk.now_us)
    talk.pass_time(seconds)


@pytest.mark.parametrize("code", [0, 1001, 4000])
def test_drop_ends_the_oldest_connections(talk: Talk, code: int) -> None:
    other = Talk(talk.options, shared=talk.exchange)
    strike(talk, Fault(kind="drop", count=1, close_code=code))
    assert talk.close_code() == code
    assert other.close_code() is None


def test_stall_holds_a_connection_and_lets_it_go(talk: Talk) -> None:
    strike(talk, Fault(kind="stall", duration_s=5), seconds=6)
    assert [order for order in talk.orders if isinstance(order, Stall)] == [
        Stall(talk.connection.id, on=True), Stall(talk.connection.id, on=False),
    ]  # fmt: skip


def test_a_connection_made_during_a_stall_stands_still_too(talk: Talk) -> None:
    strike(talk, Fault(kind="stall", duration_s=5))
    late = Talk(talk.options, talk.now_us, talk.exchange)
    assert late.orders == [Stall(late.connection.id, on=True)]


def test_too_many_requests_ends_the_session(talk: Talk) -> None:
    strike(talk, Fault(kind="too_many_requests", methods=("public/get_*",)))
    assert talk.result("public/test")
    assert talk.error("public/get_time") == {"code": 10028, "message": "too_many_requests"}
    assert talk.close_code() == 1000


def test_refuse_answers_with_the_chosen_code_and_stays(talk: Talk) -> None:
    strike(talk, Fault(kind="refuse", methods=("public/subscribe",), code=13028, count=1))
    assert talk.error("public/subscribe", channels=[])["message"] == "temporarily_unavailable"
    assert talk.subscribe() == []
    assert talk.close_code() is None


def test_refuse_may_mean_the_requests_for_some_channels_alone(talk: Talk) -> None:
    strike(talk, Fault(kind="refuse", methods=("public/subscribe",), channels=("*.eth_usd",), code=-32602))
    btc, eth = "deribit_price_index.btc_usd", "deribit_price_index.eth_usd"
    assert talk.error("public/subscribe", channels=[btc, eth])["code"] == -32602
    assert talk.subscribe(btc) == [btc]
    assert talk.result("public/unsubscribe", channels=[eth]) == []
    assert talk.error("public/subscribe", channels=eth)["code"] == -32602, "as without the fault"


def test_mute_answers_nothing(talk: Talk) -> None:
    strike(talk, Fault(kind="mute", methods=("public/test",), duration_s=5))
    talk.send(b'{"id":1,"method":"public/test"}')
    assert talk.inbox == []
    assert talk.result("public/get_time")


def test_maintenance_is_announced_refuses_and_ends_connections(talk: Talk) -> None:
    talk.subscribe("platform_state")
    talk.inbox.clear()
    strike(talk, Fault(kind="maintenance", duration_s=10, close_after_s=2))
    assert talk.notices("platform_state") == [{"maintenance": True}]
    assert talk.error("public/test") == {"code": 11051, "message": "system_maintenance"}
    assert talk.exchange.admits(0) == 503
    talk.pass_time(2)
    assert talk.close_code() == 1001
    talk.pass_time(10)
    assert talk.exchange.admits(0) is None


def test_the_end_of_maintenance_is_announced_too_once_the_last_one_is_over(talk: Talk) -> None:
    talk.subscribe("platform_state")
    talk.inbox.clear()
    long = Fault(kind="maintenance", duration_s=10, close_after_s=None)
    strike(talk, long, Fault(kind="maintenance", duration_s=5, close_after_s=None))
    talk.pass_time(7)
    assert talk.notices("platform_state") == [{"maintenance": True}, {"maintenance": True}]
    talk.inbox.clear()
    talk.pass_time(5)
    assert talk.notices("platform_state") == [{"maintenance": False}]


def test_expired_tokens_are_refused_and_can_be_refreshed(talk: Talk) -> None:
    tokens = talk.login(5)
    strike(talk, Fault(kind="expire_tokens", clients=("demo-5",)))
    assert talk.error("private/get_account_summary", currency="BTC")["code"] == 13009
    talk.result("public/auth", grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert talk.result("private/get_account_summary", currency="BTC")


@pytest.mark.parametrize("code", [13004, 10028, 11051])
def test_logins_are_refused_while_all_else_works(talk: Talk, code: int) -> None:
    strike(talk, Fault(kind="refuse_logins", duration_s=5, code=code))
    assert talk.result("public/get_time")
    credentials = {"grant_type": "client_credentials", "client_id": "demo-1", "client_secret": "demo-1-secret"}
    assert talk.error("public/auth", **credentials)["code"] == code
    if code != 10028:
        talk.pass_time(6)
        assert talk.login()


def test_connections_are_refused(talk: Talk) -> None:
    strike(talk, Fault(kind="refuse_connections", duration_s=5, count=2))
    assert [talk.exchange.admits(0) for _ in range(3)] == [503, 503, None]


def test_a_locked_index_is_told_and_falls_silent(talk: Talk) -> None:
    talk.subscribe("platform_state", "deribit_price_index.btc_usd")
    talk.inbox.clear()
    strike(talk, Fault(kind="lock_index", names=("btc_usd",), duration_s=5), seconds=4)
    assert talk.notices("platform_state") == [{"price_index": "btc_usd", "locked": True}]
    assert talk.notices("deribit_price_index.btc_usd") == []
    assert talk.result("public/status") == {"locked": "partial", "locked_indices": ["btc_usd"]}
    talk.pass_time(4)
    assert talk.notices("platform_state")[-1] == {"price_index": "btc_usd", "locked": False}
    assert talk.notices("deribit_price_index.btc_usd")


def test_a_halted_instrument_is_told_everywhere(talk: Talk) -> None:
    talk.subscribe("instrument.state.future.BTC", "ticker.BTC-PERPETUAL.100ms")
    strike(talk, Fault(kind="instrument_state", names=("BTC-PERP*",), state="halted", duration_s=3), seconds=2)
    (told,) = talk.notices("instrument.state.future.BTC")
    assert (told["instrument_name"], told["state"]) == ("BTC-PERPETUAL", "halted")
    assert talk.notices("ticker.BTC-PERPETUAL.100ms")[-1]["state"] == "halted"
    talk.pass_time(2)
    assert talk.notices("ticker.BTC-PERPETUAL.100ms")[-1]["state"] == "open"
