"""Frames are counted, shared and, where a fault says so, stamped with a wrong clock."""

from __tests__.simulator.talk import Talk
from cryptomarket.simulator.faults import Fault


def test_what_is_sent_is_counted(talk: Talk) -> None:
    talk.subscribe("deribit_price_index.btc_usd")
    talk.pass_time(10)
    assert talk.connection.frames_sent == len(talk.inbox) + 1
    assert talk.exchange.journal.notifications == len(talk.notices("deribit_price_index.btc_usd"))


def test_a_wrong_clock_stamps_replies_and_notifications(talk: Talk) -> None:
    talk.subscribe("deribit_price_index.btc_usd")
    talk.exchange.faults.add([Fault(kind="clock_skew", skew_ms=5_000, duration_s=10)], talk.now_us)
    talk.pass_time(3)
    assert talk.notices("deribit_price_index.btc_usd")[-1]["timestamp"] in range(
        talk.now_us // 1000 + 3_900, talk.now_us // 1000 + 5_001
    )
    reply = talk.ask("public/get_time")
    assert reply["result"] == talk.now_us // 1000 + 5_000
    assert reply["usIn"] == talk.now_us + 5_000_000
    talk.pass_time(8)
    assert talk.result("public/get_time") == talk.now_us // 1000
