"""Requests that are not what they should be get the answers that were recorded."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from __tests__.simulator.talk import DATA, Talk, validate_reply
from cryptomarket.simulator.options import SimulatorOptions

RECORDED = [json.loads(line) for line in (DATA / "replies_errors.jsonl").read_text().splitlines()]


def test_text_that_is_not_json(talk: Talk) -> None:
    talk.send(b"{not json")
    (reply,) = talk.inbox
    assert reply["error"] == RECORDED[5]["error"]
    assert "id" not in reply
    assert talk.closed is None


@pytest.mark.parametrize(
    ("method", "params", "line"),
    [
        ("public/set_heartbeat", {"interval": 5}, 0),
        ("public/auth", {"grant_type": "client_credentials", "client_id": "demo-1", "client_secret": "no"}, 1),
        ("public/get_instruments", {"kind": "banana"}, 2),
        ("private/get_account_summary", {"currency": "BTC"}, 3),
        ("public/subscribe", {"channels": ["ticker.BTC-PERPETUAL.raw"]}, 4),
        ("public/no_such_method", {}, 7),
    ],
)
def test_an_error_is_the_recorded_one(talk: Talk, method: str, params: dict[str, object], line: int) -> None:
    reply = talk.ask(method, **params)
    assert reply["error"] == RECORDED[line]["error"]
    validate_reply(method, reply)


def test_a_missing_parameter_of_a_known_caller(talk: Talk) -> None:
    talk.login()
    assert talk.error("private/get_account_summary") == RECORDED[6]["error"]


def test_a_large_frame_is_refused_without_id() -> None:
    talk = Talk()
    talk.send(b'{"id":1,"method":"public/test","params":{"x":"' + b"x" * 32_768 + b'"}}')
    (reply,) = talk.inbox
    assert reply["error"] == {"code": -32600, "message": "request entity too large"}
    assert "id" not in reply
    assert talk.closed is None
    strict = Talk(SimulatorOptions(request_too_large_closes=True))
    strict.send(b" " * 40_000)
    assert strict.closed is not None


@pytest.mark.parametrize("request_id", [1, 0, "nfm000100000001", ""])
def test_an_id_comes_back_unchanged(talk: Talk, request_id: object) -> None:
    talk.send(json.dumps({"id": request_id, "method": "public/test"}).encode())
    assert talk.inbox[0]["id"] == request_id


def test_a_request_without_id_gets_a_reply_without_one(talk: Talk) -> None:
    talk.send(b'{"jsonrpc":"2.0","method":"public/test"}')
    assert "id" not in talk.inbox[0]
    assert talk.inbox[0]["result"] == {"version": "1.2.26"}


@given(st.one_of(st.binary(max_size=200), st.text(max_size=50).map(str.encode), st.builds(
    lambda value: json.dumps(value).encode(),
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=8),
                 lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
                     st.sampled_from(["id", "method", "params", "jsonrpc", "channels"]), inner, max_size=4)),
)))  # fmt: skip
def test_whatever_is_sent_is_answered_and_the_socket_stays_open(text: bytes) -> None:
    talk = Talk()
    talk.send(text)
    assert talk.closed is None
    assert len(talk.inbox) == 1
    assert "error" in talk.inbox[0] or "result" in talk.inbox[0]


def test_times_are_microseconds_and_add_up(talk: Talk) -> None:
    reply = talk.ask("public/test")
    assert reply["usIn"] == talk.now_us
    assert reply["usOut"] - reply["usIn"] == reply["usDiff"]
    assert reply["testnet"] is True
