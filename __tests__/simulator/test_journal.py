"""The log is bounded, filtered and says what it lost."""

import json

from __tests__.simulator.talk import Talk
from cryptomarket.simulator.journal import Journal
from cryptomarket.simulator.options import SimulatorOptions


def test_the_log_keeps_the_newest_and_counts_the_rest() -> None:
    journal = Journal(recording=True, limit=3)
    for number in range(5):
        journal.note("a", (1,), b"%d" % number, number)
    found = json.loads(journal.sent(None, None, 0))
    assert found["dropped"] == 2
    assert [entry["frame"] for entry in found["sent"]] == ["2", "3", "4"]


def test_nothing_is_kept_unless_asked() -> None:
    journal = Journal(recording=False, limit=3)
    journal.note("a", (1,), b"x", 0)
    assert json.loads(journal.sent(None, None, 0)) == {"dropped": 0, "sent": []}
    assert journal.notifications == 1


def test_entries_are_chosen_by_channel_connection_and_number() -> None:
    journal = Journal(recording=True, limit=10)
    journal.note("a", (1, 2), b"1", 0)
    journal.note("b", (2,), b"2", 0)
    journal.note("a", (2,), b"3", 0)

    def frames(channel: str | None, connection: int | None, after: int) -> list[str]:
        return [entry["frame"] for entry in json.loads(journal.sent(channel, connection, after))["sent"]]

    assert frames("a", None, 0) == ["1", "3"]
    assert frames(None, 1, 0) == ["1"]
    assert frames(None, None, 2) == ["3"]
    journal.clear()
    assert frames(None, None, 0) == []


def test_replies_are_kept_as_they_left() -> None:
    """Promise: with recording, what was granted is known by method, with what was asked and the reply of that moment;
    a refusal and a long list are not kept.
    """
    talk = Talk(SimulatorOptions(credits=False, recording=True))
    reply = talk.ask("public/get_index_price", index_name="btc_usd")
    talk.ask("public/get_index_price", index_name="nothing")
    talk.ask("public/get_instruments", currency="any")
    journal = talk.exchange.journal
    (kept,) = journal.answered("public/get_index_price")
    assert (kept.params, json.loads(kept.frame)) == ({"index_name": "btc_usd"}, reply)
    assert journal.answered("public/get_instruments") == []
    journal.clear()
    assert journal.answered("public/get_index_price") == []


def test_the_log_holds_exactly_what_a_reader_got() -> None:
    talk = Talk(SimulatorOptions(credits=False, recording=True))
    channel = "ticker.BTC-PERPETUAL.100ms"
    talk.subscribe(channel)
    talk.pass_time(5)
    log = json.loads(talk.exchange.journal.sent(channel, talk.connection.id, 0))["sent"]
    assert [json.loads(entry["frame"])["params"]["data"] for entry in log] == talk.notices(channel)
