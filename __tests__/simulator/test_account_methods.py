"""Logins, tokens and what an account says about itself."""

import pytest

from __tests__.simulator.talk import Talk
from cryptomarket.simulator.accounts import websocket_signature
from cryptomarket.simulator.options import SimulatorOptions


@pytest.mark.parametrize("as_text", [False, True])
def test_a_signed_login_needs_no_secret_on_the_wire(talk: Talk, as_text: bool) -> None:
    now_ms = talk.now_us // 1000
    signature = websocket_signature("demo-7-secret", str(now_ms), "n", "d")
    found = talk.result(
        "public/auth", grant_type="client_signature", client_id="demo-7", signature=signature, nonce="n", data="d",
        timestamp=str(now_ms) if as_text else now_ms, scope="account:read connection expires:60",
    )  # fmt: skip
    assert found["expires_in"] == 60
    assert found["token_type"] == "bearer"
    person = talk.result("private/get_account_summary", currency="BTC", extended=True)
    assert (person["username"], person["email"], person["type"]) == ("demo-7", "demo-7@example.com", "main")
    assert isinstance(person["id"], int)


@pytest.mark.parametrize("spoil", [{"nonce": "x"}, {"data": "x"}, {"client_id": "demo-8"}, {"timestamp": 1}])
def test_a_signature_of_something_else_is_refused(talk: Talk, spoil: dict[str, object]) -> None:
    now_ms = talk.now_us // 1000
    signature = websocket_signature("demo-7-secret", str(now_ms), "n", "")
    params = {"client_id": "demo-7", "timestamp": now_ms, "nonce": "n", "signature": signature} | spoil
    assert talk.error("public/auth", grant_type="client_signature", **params) == {
        "code": 13004, "message": "invalid_credentials",
    }  # fmt: skip


def test_every_person_is_another(talk: Talk) -> None:
    ids = set()
    for number in (1, 2, 900_000):
        talk.login(number)
        ids.add(talk.result("private/get_account_summary", currency="BTC", extended=True)["id"])
    assert len(ids) == 3


def test_without_extended_nobody_is_named(talk: Talk) -> None:
    talk.login()
    assert not {"email", "id", "username"} & talk.result("private/get_account_summary", currency="BTC").keys()


def test_an_expired_token_is_refused_and_can_be_refreshed() -> None:
    talk = Talk(SimulatorOptions(credits=False, token_life_s=3))
    first = talk.login()
    talk.pass_time(3.1)
    assert talk.error("private/get_account_summary", currency="BTC")["code"] == 13009
    second = talk.result("public/auth", grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert second["access_token"] != first["access_token"]
    assert second["expires_in"] == 3
    assert talk.result("private/get_account_summary", currency="BTC")["currency"] == "BTC"
    assert (
        talk.error("private/get_account_summary", currency="BTC", access_token=first["access_token"])["code"] == 13009
    )


def test_a_token_works_as_a_parameter_on_another_socket(talk: Talk) -> None:
    token = talk.login(scope="session:x")["access_token"]
    other = Talk(talk.options, shared=talk.exchange)
    assert other.error("private/get_account_summary", currency="BTC")["code"] == 13009
    assert other.result("private/get_account_summary", currency="BTC", access_token=token)["currency"] == "BTC"


def test_logging_out_ends_the_connection_and_the_token(talk: Talk) -> None:
    token = talk.login(scope="session:x")["access_token"]
    talk.send(b'{"id":1,"method":"private/logout","params":{}}')
    assert talk.closed is not None
    assert talk.closed.code == 1000
    other = Talk(talk.options, shared=talk.exchange)
    assert other.error("private/get_account_summary", currency="BTC", access_token=token)["code"] == 13009


def test_logging_out_can_leave_the_token(talk: Talk) -> None:
    token = talk.login(scope="session:x")["access_token"]
    talk.send(b'{"id":1,"method":"private/logout","params":{"invalidate_token":false}}')
    other = Talk(talk.options, shared=talk.exchange)
    assert other.result("private/get_account_summary", currency="BTC", access_token=token)


def test_a_scope_without_account_reads_no_account(talk: Talk) -> None:
    talk.login(scope="trade:read connection")
    assert talk.error("private/get_account_summary", currency="BTC")["code"] == 13403
