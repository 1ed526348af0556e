"""Logins: tokens are renewed or replaced, a refused key is not tried twice, a person is asked for once."""

import msgspec
import pytest

from __tests__.deribit.ears import demo_key
from cryptomarket.clock import Clock
from cryptomarket.deribit.auth import Grant
from cryptomarket.deribit.errors import failure_of
from cryptomarket.deribit.login import USER_SCOPE, OwnKey, account_holder, nonce_of
from cryptomarket.errors import ExchangeError, ExchangeFatal, ExchangeUnavailable

Params = dict[str, object]
TOKEN = {"access_token": "a", "refresh_token": "r", "expires_in": 100, "scope": "connection"}


class Script:
    """An asker that answers from a list, and remembers what it was asked."""

    def __init__(self, *answers: object) -> None:
        self.asked: list[tuple[str, Params]] = []
        self._answers = list(answers)

    async def ask(self, method: str, params: Params) -> bytes:
        self.asked.append((method, params))
        answer = self._answers.pop(0)
        if isinstance(answer, ExchangeError):
            raise answer
        return msgspec.json.encode(answer)

    def grants(self) -> list[object]:
        return [params["grant_type"] for _, params in self.asked]


class Time:
    """Clocks that are set by hand."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.clock = Clock(lambda: self.now_s, lambda: 1_700_000_000_000_000)


def own_key(time: Time, grant: Grant = Grant.SIGNATURE) -> OwnKey:
    return OwnKey(demo_key(), grant, clock=time.clock, random=lambda: 0.5)


async def test_a_living_token_is_renewed_and_a_dead_one_replaced_by_a_login() -> None:
    time, script = Time(), Script(TOKEN, TOKEN, TOKEN)
    key = own_key(time)
    token = await key.login(script)
    assert token is not None
    time.now_s = token.refresh_at_s
    token = await key.renew(script, token)
    assert token is not None
    assert token.granted_s == 80.0
    time.now_s = 1_000.0
    await key.renew(script, token)
    assert script.grants() == ["client_signature", "refresh_token", "client_signature"]


async def test_a_token_that_the_exchange_no_longer_takes_is_replaced_by_a_login() -> None:
    script = Script(TOKEN, failure_of(13004, "invalid_credentials", "public/auth"), TOKEN)
    key = own_key(Time())
    token = await key.login(script)
    assert token is not None
    assert await key.renew(script, token) is not None
    assert key.usable
    assert script.grants() == ["client_signature", "refresh_token", "client_signature"]


async def test_a_refused_key_is_never_sent_again() -> None:
    script = Script(failure_of(13004, "invalid_credentials", "public/auth"))
    key = own_key(Time())
    with pytest.raises(ExchangeFatal):
        await key.login(script)
    assert not key.usable
    assert await key.login(script) is None
    assert len(script.asked) == 1


async def test_a_passing_refusal_leaves_the_key_usable() -> None:
    script = Script(failure_of(11051, "system_maintenance", "public/auth"))
    key = own_key(Time())
    with pytest.raises(ExchangeError):
        await key.login(script)
    assert key.usable


async def test_no_key_is_no_login() -> None:
    time, script = Time(), Script()
    key = OwnKey(None, Grant.SIGNATURE, clock=time.clock, random=lambda: 0.5)
    assert await key.login(script) is None
    assert not key.usable
    assert not script.asked


async def test_the_secret_is_sent_only_where_that_grant_was_chosen() -> None:
    script = Script(TOKEN, TOKEN)
    await own_key(Time()).login(script)
    await own_key(Time(), Grant.CREDENTIALS).login(script)
    assert ["client_secret" in params for _, params in script.asked] == [False, True]


async def test_an_answer_that_is_no_token_is_no_login() -> None:
    with pytest.raises(ExchangeUnavailable):
        await own_key(Time()).login(Script({"expires_in": 5}))


async def test_a_person_is_asked_for_with_the_narrowest_scope() -> None:
    script = Script(TOKEN, {"id": 7, "email": "a@example.com", "type": "main"})
    holder = await account_holder(script, demo_key(), timestamp_ms=1_700_000_000_000, nonce="n")
    assert (holder.deribit_id, holder.email, holder.username) == (7, "a@example.com", None)
    (_, auth), (method, summary) = script.asked
    assert auth["scope"] == USER_SCOPE == "account:read connection expires:60"
    assert "client_secret" not in auth
    assert (method, summary) == ("private/get_account_summary", {"currency": "BTC", "extended": True})


async def test_an_account_without_an_id_identifies_nobody() -> None:
    with pytest.raises(ExchangeUnavailable):
        await account_holder(Script(TOKEN, {"email": "a@example.com"}), demo_key(), timestamp_ms=1, nonce="n")


def test_two_draws_are_two_nonces() -> None:
    assert nonce_of(lambda: 0.1) != nonce_of(lambda: 0.2)
    assert len(nonce_of(lambda: 0.0)) == len(nonce_of(lambda: 0.999999)) == 13
