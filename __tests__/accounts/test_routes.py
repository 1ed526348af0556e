"""POST /auth/token, POST /auth/revoke and GET /me, as callers see them."""

import base64
from http.cookies import SimpleCookie
from typing import Any

import pytest

from __tests__.accounts.world import ORIGIN, World, application
from cryptomarket.accounts.access import COOKIE
from cryptomarket.accounts.tokens import Scope
from cryptomarket.errors import CryptomarketError, ExchangeFatal, ExchangeUnavailable

TOKEN = "/api/v2/auth/token"
PAIR = {"grant_type": "client_credentials", "client_id": "demo-1", "client_secret": "demo-1-secret"}


async def test_a_pair_becomes_a_token_by_form_json_and_basic(world: World) -> None:
    """The same answer each way (RFC 6749, 5.1), which no cache may keep, for the same user."""
    encoded = base64.b64encode(b"demo-1:demo-1-secret").decode()
    answers = [
        await world.http.post(TOKEN, data=PAIR),
        await world.http.post(TOKEN, json=PAIR),
        await world.http.post(
            TOKEN, data={"grant_type": "client_credentials"}, headers={"Authorization": f"Basic {encoded}"}
        ),
    ]
    for answer in answers:
        body = answer.json()
        assert set(body) == {"access_token", "token_type", "expires_in", "user_id", "scope"}
        assert (body["token_type"], body["expires_in"], body["scope"]) == ("bearer", 86_400, "person")
        assert answer.headers["cache-control"] == "no-store"
        assert "set-cookie" not in answer.headers
    assert len({answer.json()["user_id"] for answer in answers}) == 1
    assert world.seen == [answers[0].json()["user_id"]] * 3


async def test_me_tells_what_the_exchange_knows(world: World) -> None:
    """The contract's fields, from the cache, and from the database when that is empty."""
    entered = await world.enter(3)
    headers = {"Authorization": f"Bearer {entered['access_token']}"}
    expected = {
        "user_id": entered["user_id"],
        "exchange": "simulator",
        "deribit_id": 10_003,
        "email": "demo-3@example.com",
        "username": "demo-3",
        "system_name": "system-demo-3",
        "type": "main",
        "last_seen_ms": world.hands.wall_us // 1000,
    }
    assert (await world.http.get("/api/v2/me", headers=headers)).json() == expected
    await world.cache.delete(f"person:{entered['user_id']}")
    assert (await world.http.get("/api/v2/me", headers=headers)).json() == expected


async def test_an_api_key_becomes_a_token_of_its_scope(world: World) -> None:
    """Without the exchange. Revoking the key ends the token too."""
    made = await world.parts.keys.create("prometheus", scope=frozenset({Scope.OPERATOR}))
    grant = {"grant_type": "api_key", "api_key": made.text.reveal()}
    answer = await world.http.post(TOKEN, data=grant)
    assert (answer.status_code, answer.json()["scope"]) == (200, "operator")
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    assert (await world.http.get("/operator", headers=headers)).status_code == 200
    me = (await world.http.get("/api/v2/me", headers=headers)).json()
    assert (me["user_id"], me["deribit_id"], me["last_seen_ms"]) == (f"k_{made.stored.key_id}", None, None)
    await world.parts.keys.revoke(made.stored.key_id)
    assert (await world.http.get("/operator", headers=headers)).status_code == 401
    assert (await world.http.post(TOKEN, data=grant)).status_code == 401
    assert world.exchange.asked == []


async def test_guessing_api_keys_is_slowed(world: World) -> None:
    """Six from one address, then 429 with the time to wait."""
    found = []
    for number in range(8):
        key = f"cmk_{'a' * 12}_{number:064x}" if number % 2 else f"rubbish {number}"
        found.append(await world.http.post(TOKEN, data={"grant_type": "api_key", "api_key": key}))
    assert [answer.status_code for answer in found][-2:] == [429, 429]
    assert {answer.status_code for answer in found[:-2]} <= {401, 429}
    assert int(found[-1].headers["retry-after"]) >= 1
    assert found[-1].headers["ratelimit-limit"] in {"3", "6"}


async def test_a_wrong_pair_is_asked_once_and_slowed_in_the_end(world: World) -> None:
    """401 each time with one question to the exchange; the fourth is 429 and asks nothing."""
    wrong = PAIR | {"client_secret": "wrong"}
    answers = [await world.http.post(TOKEN, data=wrong) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429]
    assert len(world.exchange.asked) == 3
    assert not any("wrong" in answer.text for answer in answers)


@pytest.mark.parametrize(
    ("trouble", "status"),
    [(ExchangeUnavailable("away", retry_after_s=9), 503), (ExchangeFatal(13021, "forbidden"), 403)],
)
async def test_what_the_exchange_cannot_or_will_not_say(world: World, trouble: CryptomarketError, status: int) -> None:
    """503 with the time to wait, or 403; nobody is let in."""
    world.exchange.trouble = trouble
    answer = await world.http.post(TOKEN, data=PAIR)
    assert answer.status_code == status
    assert "access_token" not in answer.text
    if status == 503:
        assert answer.headers["retry-after"] == "9"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"data": {}}, 400),
        ({"data": PAIR | {"client_secret": "a\x00b"}}, 400),
        ({"data": PAIR | {"client_id": "demo-1\r\nX: 1"}}, 400),
        ({"data": PAIR | {"client_secret": "x" * 300}}, 400),
        ({"data": PAIR | {"client_secret": "x" * 9000}}, 413),
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, 400),
        ({"json": [PAIR]}, 400),
        ({"data": PAIR, "params": {"client_secret": "demo-1-secret"}}, 400),
        ({"data": PAIR, "params": {"cookie": "perhaps"}}, 422),
        ({"data": PAIR, "params": {"cookie": "true"}}, 403),
        ({"data": PAIR, "params": {"cookie": "true"}, "headers": {"Origin": "http://evil.test"}}, 403),
    ],
)
async def test_a_bad_request_asks_nobody_and_changes_nothing(world: World, sent: dict[str, Any], status: int) -> None:
    """Unreadable, too large, from a foreign page: told with its own status, and the exchange hears nothing of it."""
    answer = await world.http.post(TOKEN, **sent)
    assert answer.status_code == status, answer.text
    assert "set-cookie" not in answer.headers
    assert world.exchange.asked == []
    assert world.mailroom.passed == []


@pytest.mark.parametrize(("base", "secure"), [(ORIGIN, False), (ORIGIN.replace("http:", "https:"), True)])
async def test_the_cookie_is_for_the_browser_alone(world: World, base: str, secure: bool) -> None:
    """HttpOnly, SameSite=Strict, Secure over https, as long as the token; it opens what the token opens."""
    answer = await world.http.post(
        f"{base}{TOKEN}", data=PAIR, params={"cookie": "true"}, headers={"Sec-Fetch-Site": "same-origin"}
    )
    cookie = SimpleCookie(answer.headers["set-cookie"])[COOKIE]
    assert cookie.value == answer.json()["access_token"]
    assert (cookie["httponly"], cookie["samesite"].lower(), bool(cookie["secure"])) == (True, "strict", secure)
    assert (cookie["path"], cookie["max-age"]) == ("/", "86400")
    assert not cookie["domain"]
    sent = {"Cookie": f"{COOKIE}={cookie.value}"}
    assert (await world.http.get("/stream", headers=sent)).json()["user_id"] == answer.json()["user_id"]


async def test_revoking_ends_the_token_and_takes_the_cookie_back(world: World) -> None:
    """At once, told to the streams, remembered by the database; a second time it is nobody's."""
    entered = await world.enter()
    headers = {"Authorization": f"Bearer {entered['access_token']}"}
    answer = await world.http.post("/api/v2/auth/revoke", headers=headers)
    assert answer.json() == {"revoked": True, "user_id": entered["user_id"]}
    assert SimpleCookie(answer.headers["set-cookie"])[COOKIE]["max-age"] == "0"
    assert (await world.http.get("/api/v2/me", headers=headers)).status_code == 401
    assert (await world.http.post("/api/v2/auth/revoke", headers=headers)).status_code == 401
    assert world.revoked == list(await world.parts.repository.revoked_tokens(now_ms=0))
    restarted = world.second_process()
    await restarted.revocations.load()
    assert world.revoked == world.revoked[:1] * 2


async def test_getting_is_not_posting(world: World) -> None:
    """A link can neither log in nor log out."""
    for path in (TOKEN, "/api/v2/auth/revoke"):
        assert (await world.http.get(path)).status_code == 405


def test_openapi_tells_everything() -> None:
    """Every status, the body with examples, the parameter; each description and id is there."""
    document = application().openapi()
    token = document["paths"][TOKEN]["post"]
    assert {"200", "400", "401", "403", "413", "422", "429", "503"} == set(token["responses"])
    assert set(token["requestBody"]["content"]) == {"application/x-www-form-urlencoded", "application/json"}
    assert all(content["examples"] for content in token["requestBody"]["content"].values())
    assert [parameter["name"] for parameter in token["parameters"]] == ["cookie"]
    for path in (TOKEN, "/api/v2/auth/revoke", "/api/v2/me"):
        for operation in document["paths"][path].values():
            assert operation["summary"]
            assert operation["operationId"]
            assert not operation.get("parameters") or all(p["description"] for p in operation["parameters"])
