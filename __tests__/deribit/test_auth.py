"""Logins: the published signature, tokens renewed at four fifths of their life, secrets that don't show."""

import json

import msgspec
import pytest

from __tests__.deribit.samples import lines
from cryptomarket.deribit.auth import ClientKey, Token, signature, signed, spelled_out
from cryptomarket.secret import Secret


def test_the_signature_is_the_published_one() -> None:
    made = signature(Secret("AMANDASECRECT"), timestamp_ms=1576074319000, nonce="1iqt2wls")
    assert made == "56590594f97921b09b18f166befe0d1319b198bbcdad7ca73382de2f88fe9aa1"


def test_data_is_signed_too() -> None:
    key = Secret("AMANDASECRECT")
    assert signature(key, timestamp_ms=1, nonce="n", data="a") != signature(key, timestamp_ms=1, nonce="n", data="b")


def test_a_signed_login_never_contains_the_secret() -> None:
    params = signed(ClientKey("id", Secret("hush-hush")), scope="connection", timestamp_ms=1, nonce="n")
    assert "hush-hush" not in json.dumps(params)
    assert (params["grant_type"], params["client_id"], params["scope"]) == ("client_signature", "id", "connection")


def test_a_login_by_credentials_is_the_exchanges_other_grant() -> None:
    assert spelled_out(ClientKey("id", Secret("s")), scope="connection") == {
        "grant_type": "client_credentials",
        "client_id": "id",
        "client_secret": "s",
        "scope": "connection",
    }


def test_neither_key_nor_token_show_a_secret() -> None:
    token = Token(Secret("access-text"), Secret("refresh-text"), 0.0, 900.0)
    shown = repr(token) + repr(ClientKey("id", Secret("secret-text")))
    assert not any(text in shown for text in ("access-text", "refresh-text", "secret-text"))


def test_a_token_is_renewed_at_four_fifths_of_its_life() -> None:
    token = Token(Secret("a"), Secret("r"), granted_s=100.0, expires_in_s=900.0)
    assert token.refresh_at_s == 820.0
    assert not token.is_expired(999.9)
    assert token.is_expired(1000.0)
    assert token.renewal() == {"grant_type": "refresh_token", "refresh_token": "r"}


def test_how_long_a_token_lives_is_read_from_the_recorded_answer() -> None:
    [line] = lines("replies_auth.jsonl")
    token = Token.of(msgspec.json.encode(json.loads(line)["result"]), now_s=5.0)
    assert token.expires_in_s == 31536000
    assert token.granted_s == 5.0
    assert token.access.reveal().startswith("1796961742820.")


def test_half_a_login_is_no_login() -> None:
    with pytest.raises(msgspec.ValidationError):
        Token.of(b'{"access_token":"a","expires_in":900}', now_s=0.0)
