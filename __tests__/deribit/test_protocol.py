"""The conversation: ids, heartbeats, deadlines and silence, with strings and numbers alone."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from __tests__.deribit.samples import lines, numbered
from cryptomarket.deribit.messages import Beat, Failure, Notice, Reply, Silence, Unreadable
from cryptomarket.deribit.protocol import Conversation
from cryptomarket.errors import ExchangeError, ExchangeFatal, ExchangeRetryable, ExchangeUnavailable


@pytest.fixture
def conversation() -> Conversation:
    return Conversation(heartbeat_s=10, now=0.0)


def sent(conversation: Conversation) -> list[dict[str, object]]:
    return [json.loads(text) for text in conversation.to_send()]


def answer(number: int, **members: object) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": number, **members, "usIn": 1, "usOut": 2, "usDiff": 1}).encode()


def test_a_question_is_a_json_rpc_object_with_named_parameters(conversation: Conversation) -> None:
    number = conversation.ask("public/ticker", {"instrument_name": "BTC-PERPETUAL"}, now=0, timeout_s=5)
    assert sent(conversation) == [
        {
            "jsonrpc": "2.0",
            "id": number,
            "method": "public/ticker",
            "params": {"instrument_name": "BTC-PERPETUAL"},
        }
    ]
    assert conversation.to_send() == []


def test_it_begins_by_introducing_us_and_setting_the_heartbeat(conversation: Conversation) -> None:
    conversation.begin(client_name="cryptomarket", client_version="2", now=0, timeout_s=5)
    assert [(frame["method"], frame["params"]) for frame in sent(conversation)] == [
        ("public/hello", {"client_name": "cryptomarket", "client_version": "2"}),
        ("public/set_heartbeat", {"interval": 10}),
    ]


def test_answers_find_their_questions_in_any_order(conversation: Conversation) -> None:
    first = conversation.ask("public/get_time", {}, now=0, timeout_s=5)
    second = conversation.ask("public/status", {}, now=0, timeout_s=5)
    [late] = conversation.hear(answer(second, result={"locked": "false"}), now=1)
    [early] = conversation.hear(answer(first, result=8), now=1)
    assert isinstance(late, Reply)
    assert isinstance(early, Reply)
    assert (late.method, json.loads(bytes(late.result))) == ("public/status", {"locked": "false"})
    assert (early.method, json.loads(bytes(early.result))) == ("public/get_time", 8)
    assert conversation.unanswered == 0


def test_a_result_of_null_is_an_answer(conversation: Conversation) -> None:
    number = conversation.ask("private/logout", {}, now=0, timeout_s=5)
    [reply] = conversation.hear(answer(number, result=None), now=1)
    assert isinstance(reply, Reply)


def test_the_recorded_test_request_is_answered_unasked(conversation: Conversation) -> None:
    [frame] = lines("notif_heartbeat.jsonl")
    assert conversation.hear(frame, now=12) == [Beat(asked=True)]
    [test] = sent(conversation)
    assert test["method"] == "public/test"
    assert conversation.hear(answer(int(str(test["id"])), result={"version": "1.2.26"}), now=12) == []


def test_a_plain_heartbeat_wants_no_answer(conversation: Conversation) -> None:
    frame = b'{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"heartbeat"}}'
    assert conversation.hear(frame, now=12) == [Beat(asked=False)]
    assert not conversation.has_to_send


def test_a_question_fails_at_its_deadline_and_its_late_answer_is_left_out(conversation: Conversation) -> None:
    number = conversation.ask("public/get_time", {}, now=0, timeout_s=5)
    assert conversation.next_deadline() == 5
    assert conversation.pass_time(4.9) == []
    [failure] = conversation.pass_time(5)
    assert isinstance(failure, Failure)
    assert (failure.id, failure.method) == (number, "public/get_time")
    assert isinstance(failure.error, ExchangeUnavailable)
    assert conversation.hear(answer(number, result=8), now=6) == []
    assert conversation.strays == 1


def test_two_and_a_half_silent_intervals_are_death(conversation: Conversation) -> None:
    conversation.hear(b'{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"heartbeat"}}', now=10)
    assert conversation.next_deadline() == 35
    assert conversation.pass_time(34.9) == []
    assert conversation.pass_time(35) == [Silence(25.0)]


@pytest.mark.parametrize(("code", "kind"), [(10028, ExchangeRetryable), (13004, ExchangeFatal), (99999, ExchangeFatal)])
def test_an_error_ends_its_question_with_what_to_do(
    conversation: Conversation, code: int, kind: type[Exception]
) -> None:
    number = conversation.ask("public/auth", {}, now=0, timeout_s=5)
    [failure] = conversation.hear(answer(number, error={"code": code, "message": "told"}), now=1)
    assert isinstance(failure, Failure)
    assert failure.id == number
    assert isinstance(failure.error, kind)
    assert str(failure.error) == f"public/auth: exchange error {code} told"


def test_an_error_without_an_id_is_told_all_the_same(conversation: Conversation) -> None:
    conversation.ask("public/subscribe", {}, now=0, timeout_s=5)
    frame = b'{"jsonrpc":"2.0","error":{"code":-32600,"message":"request entity too large"},"usIn":1}'
    [failure] = conversation.hear(frame, now=1)
    assert isinstance(failure, Failure)
    assert failure.id is None
    assert conversation.unanswered == 1


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"<html>502 Bad Gateway</html>",
        b'{"jsonrpc":"2.0"',
        b"[]",
        b"{}",
        b'{"jsonrpc":"2.0","method":"subscription","params":{"channel":"ticker.X.100ms"}}',
        b'{"jsonrpc":"2.0","method":"subscription","params":{"data":{}}}',
        b'{"jsonrpc":"2.0","method":"subscription","params":["ticker"]}',
        b'{"jsonrpc":"2.0","method":"public/auth","id":1,"params":{}}',
        b'{"jsonrpc":"2.0","id":{},"result":1}',
    ],
)
def test_what_is_no_frame_of_the_exchange_is_told_and_ends_nothing(conversation: Conversation, frame: bytes) -> None:
    [event] = conversation.hear(frame, now=1)
    assert isinstance(event, Unreadable)
    assert event.reason


@pytest.mark.parametrize(
    ("frame", "channel"),
    [
        (
            b'{"jsonrpc":"2.0","method":"subscription","params":{"channel":"ticker.X.100ms","data":{"ti',
            "ticker.X.100ms",
        ),
        (b'{"jsonrpc":"2.0","method":"subscription","params":{"channel":"ticker.X.100ms"}}', "ticker.X.100ms"),
        (b'{"jsonrpc":"2.0","method":"subscr', None),
        (b"", None),
    ],
)
def test_what_may_have_been_news_is_told_as_such(conversation: Conversation, frame: bytes, channel: str | None) -> None:
    """Promise: a notice that can't be read is a loss: of its channel where it still names one, else of any."""
    [event] = conversation.hear(frame, now=1)
    assert isinstance(event, Unreadable)
    assert (event.may_be_news, event.channel) == (True, channel)


def test_what_is_no_news_is_not_taken_for_any(conversation: Conversation) -> None:
    """Promise: a call or an answer that makes no sense loses nobody's tick."""
    for frame in (b'{"jsonrpc":"2.0","method":"public/auth","id":1,"params":{}}', b"{}"):
        [event] = conversation.hear(frame, now=1)
        assert isinstance(event, Unreadable)
        assert not event.may_be_news


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_bytes_whatever_raise(frame: bytes) -> None:
    conversation = Conversation(heartbeat_s=10, now=0.0)
    events = conversation.hear(frame, now=1.0)
    assert len(events) <= 1


@pytest.mark.parametrize(("where", "frame"), list(numbered("notif_*.jsonl")))
def test_every_recorded_notification_is_read(conversation: Conversation, where: str, frame: bytes) -> None:
    [event] = conversation.hear(frame, now=1)
    if isinstance(event, Notice):
        told = json.loads(frame)["params"]
        assert (event.channel, json.loads(bytes(event.data))) == (told["channel"], told["data"])
    else:
        assert event == Beat(asked=True), where


@pytest.mark.parametrize(("where", "frame"), list(numbered("replies_*.jsonl", "ws_get_account_summary.jsonl")))
def test_no_recorded_answer_is_unreadable(conversation: Conversation, where: str, frame: bytes) -> None:
    assert not [event for event in conversation.hear(frame, now=1) if isinstance(event, Unreadable)], where


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b'{"reason":"instrument not found","param":"instrument_name"}', "instrument not found"),
        (b'"invalid json"', ""),
        (b'{"reason":7}', ""),
        (b"null", ""),
    ],
)
def test_the_reason_of_an_error_is_kept(conversation: Conversation, data: bytes, reason: str) -> None:
    """Promise: one code means many things, and what the exchange says beside it is not lost."""
    number = conversation.ask("public/ticker", {}, now=0.0, timeout_s=5.0)
    frame = b'{"jsonrpc":"2.0","id":%d,"error":{"code":-32602,"message":"Invalid params","data":%s}}' % (number, data)
    [failure] = conversation.hear(frame, now=1.0)
    assert isinstance(failure, Failure)
    assert isinstance(failure.error, ExchangeError)
    assert failure.error.reason == reason
