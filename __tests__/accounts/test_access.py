"""Who is let in, with what, and from where."""

import asyncio

import jwt
import pytest

from __tests__.accounts.world import ORIGIN, TOKEN_KEY, World, client_of, eventually, running, values
from cryptomarket.accounts.access import COOKIE, Caller, check_still_known
from cryptomarket.accounts.tokens import Scope
from cryptomarket.errors import BusUnavailable, Unauthenticated


async def status(world: World, path: str, headers: dict[str, str], method: str = "GET") -> int:
    return (await world.http.request(method, path, headers=headers)).status_code


async def test_a_bearer_is_known_and_seen(world: World) -> None:
    """The user of the token is told to the route, and his visit to whoever counts demand."""
    entered = await world.enter()
    world.seen.clear()
    answer = await world.http.get("/person", headers={"Authorization": f"bearer {entered['access_token']}"})
    assert (answer.status_code, answer.json()) == (200, entered["user_id"])
    assert world.seen == [entered["user_id"]]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer  "},
        {"Authorization": "Bearer x.y.z"},
        {"Authorization": f"Bearer {'x' * 5000}"},
        {"Authorization": "Basic ZGVtby0xOmRlbW8tMS1zZWNyZXQ="},
        {"Cookie": f"{COOKIE}="},
        {"Cookie": f"{COOKIE}=x.y.z"},
        {"X-Client-Id": "demo-1", "X-Secret-key": "demo-1-secret"},
        {"X-User-id": "u_1"},
    ],
)
async def test_nobody_is_401_everywhere(world: World, headers: dict[str, str]) -> None:
    """No token, a strange one, another scheme; a key pair is for the stream and the token endpoint alone."""
    for path in ("/known", "/person", "/operator", "/api/v2/me"):
        assert await status(world, path, headers) == 401
    assert world.seen == []


async def test_an_expired_token_is_401(world: World) -> None:
    """To the second, everywhere, the stream included."""
    headers = await world.bearer()
    world.hands.forward(24 * 3600 - 1)
    assert await status(world, "/person", headers) == 200
    world.hands.forward(1)
    assert await status(world, "/person", headers) == 401
    assert await status(world, "/stream", headers) == 401


async def test_a_token_of_another_exchange_is_401(world: World) -> None:
    """Same key, same form, another market: not here."""
    entered = await world.enter()
    claims = jwt.decode(
        entered["access_token"], TOKEN_KEY, algorithms=["HS256"], audience="simulator", options={"verify_exp": False}
    )
    assert claims["aud"] == "simulator"
    foreign = jwt.encode(claims | {"aud": "production"}, TOKEN_KEY)
    same = jwt.encode(claims, TOKEN_KEY)
    assert await status(world, "/person", {"Authorization": f"Bearer {same}"}) == 200
    assert await status(world, "/person", {"Authorization": f"Bearer {foreign}"}) == 401


async def test_a_revoked_token_dies_within_a_second_in_another_process(world: World) -> None:
    """Revoked here, refused there; the other tokens of the same person live on."""
    other = world.second_process()
    revoked, kept = await world.bearer(), await world.bearer()
    there = client_of(other)
    async with running(other.revocations.run()), there:
        await other.revocations.load()
        assert (await there.get("/person", headers=revoked)).status_code == 200
        async with asyncio.timeout(1.0):
            assert (await world.http.post("/api/v2/auth/revoke", headers=revoked)).status_code == 200
            await eventually(lambda: len(world.revoked) == 2)
        assert (await there.get("/person", headers=revoked)).status_code == 401
        assert (await there.get("/person", headers=kept)).status_code == 200
    assert await status(world, "/person", revoked) == 401


async def test_scopes_open_their_own_doors_alone(world: World) -> None:
    """A person is no operator, and an operator no person; both are known."""
    for scope, person_status, operator_status in (
        (frozenset({Scope.PERSON}), 200, 403),
        (frozenset({Scope.OPERATOR}), 403, 200),
        (frozenset(Scope), 200, 200),
        (frozenset[Scope](), 403, 403),
    ):
        token = world.parts.tokens.issue("k_1", scope, now_s=world.hands.now_s).access_token
        headers = {"Authorization": f"Bearer {token}"}
        assert await status(world, "/person", headers) == person_status
        assert await status(world, "/stream", headers) == person_status
        assert await status(world, "/operator", headers) == operator_status
        assert await status(world, "/known", headers) == 200


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Origin": ORIGIN}, True),
        ({"Origin": f"{ORIGIN}:80"}, True),
        ({"Origin": ORIGIN.upper()}, True),
        ({}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "none"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "https://gateway.test"}, False),
        ({"Origin": f"{ORIGIN}:8080"}, False),
        ({"Origin": f"{ORIGIN}.evil.test"}, False),
        ({"Origin": "http://evil.test", "Referer": ORIGIN}, False),
        ({"Origin": "http://[bad"}, False),
        ({"Origin": "http://gateway.test:99999"}, False),
        ({"X-Forwarded-Host": "evil.test", "Origin": "http://evil.test"}, False),
    ],
)
async def test_the_cookie_changes_nothing_from_a_foreign_page(
    world: World, origin: dict[str, str], allowed: bool
) -> None:
    """With the cookie, an unsafe method, and a GET that changes state, must come from our own page. Reading may."""
    cookie = {"Cookie": f"{COOKIE}={(await world.enter())['access_token']}"}
    assert await status(world, "/known", cookie | origin) == 200
    assert await status(world, "/stream", cookie | origin) == 200
    expected = 200 if allowed else 403
    assert await status(world, "/known", cookie | origin, "POST") == expected
    assert await status(world, "/v1/change", cookie | origin) == expected
    assert await status(world, "/api/v2/auth/revoke", cookie | origin, "POST") == expected
    assert (await status(world, "/known", cookie) == 401) is allowed


async def test_a_bearer_needs_no_origin_and_comes_before_the_cookie(world: World) -> None:
    """No page can make a browser send that header unasked; a broken one is not replaced by the cookie."""
    bearer = await world.bearer(1)
    cookie = {"Cookie": f"{COOKIE}={(await world.enter(2))['access_token']}", "Origin": "http://evil.test"}
    assert await status(world, "/known", bearer | cookie, "POST") == 200
    assert await status(world, "/v1/change", bearer | cookie) == 200
    assert await status(world, "/known", {"Authorization": "Bearer broken"} | cookie) == 401
    assert (await world.http.get("/known", headers=bearer)).json() == (await world.enter(1))["user_id"]


async def test_the_stream_takes_a_key_pair_and_gives_a_token_to_come_back_with(world: World) -> None:
    """The next time the token is enough, and gives no new one; the pair is a login each time."""
    pair = {"X-Client-Id": "demo-5", "X-Secret-key": "demo-5-secret"}
    first = (await world.http.get("/stream", headers=pair)).json()
    assert first["expires_in"] == 24 * 3600
    back = {"Authorization": f"Bearer {first['access_token']}"}
    second = (await world.http.get("/stream", headers=back)).json()
    assert second == {"user_id": first["user_id"], "access_token": None, "expires_in": None}
    assert (await world.http.get("/stream", headers=pair)).json()["user_id"] == first["user_id"]
    assert world.exchange.asked == ["demo-5", "demo-5"]


async def test_a_foreign_user_id_is_403_with_pair_and_token(world: World) -> None:
    """X-User-id must be the user of the credentials, to the letter."""
    mine, other = await world.enter(1), await world.enter(2)
    pair = {"X-Client-Id": "demo-1", "X-Secret-key": "demo-1-secret"}
    bearer = {"Authorization": f"Bearer {mine['access_token']}"}
    for credentials in (pair, bearer):
        assert await status(world, "/stream", credentials | {"X-User-id": mine["user_id"]}) == 200
        for foreign in (other["user_id"], mine["user_id"].upper(), "", "'; drop table"):
            assert await status(world, "/stream", credentials | {"X-User-id": foreign}) == 403


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"X-Client-Id": "demo-1", "X-Secret-key": "wrong"}, 401),
        ({"X-Client-Id": "demo-1"}, 401),
        ({"X-Secret-key": "demo-1-secret"}, 401),
        ({"X-Client-Id": "demo-1", "X-Secret-key": "a\x01b"}, 400),
        ({"X-Client-Id": "demo\x7f", "X-Secret-key": "demo-1-secret"}, 400),
        ({"X-Client-Id": "demo-1", "X-Secret-key": "s" * 257}, 400),
        ({"X-Client-Id": "i" * 129, "X-Secret-key": "demo-1-secret"}, 400),
        ({"X-Client-Id": "demo-1", "X-Secret-key": "demo-1-secret", "Authorization": "Bearer broken"}, 401),
    ],
)
async def test_bad_credentials_are_told_before_a_stream_opens(
    world: World, headers: dict[str, str], expected: int
) -> None:
    """A real status each; what is unreadable is not forwarded to the exchange."""
    assert await status(world, "/stream", headers) == expected
    assert world.exchange.asked == (["demo-1"] if headers.get("X-Secret-key") == "wrong" else [])


async def test_a_forwarded_address_is_not_believed(world: World) -> None:
    """Whoever writes another X-Forwarded-For on each attempt is slowed all the same."""
    found = [
        await status(
            world,
            "/stream",
            {"X-Client-Id": f"demo-{n}", "X-Secret-key": "wrong", "X-Forwarded-For": f"192.0.2.{n}"},
        )
        for n in range(8)
    ]
    assert found == [401] * 6 + [429] * 2


async def test_a_cache_that_is_away_turns_nobody_away(world: World) -> None:
    """A token is checked without asking anybody; being noted as seen can wait."""
    headers = await world.bearer()
    world.hands.forward(3600)

    async def get(key: str) -> bytes | None:
        raise BusUnavailable("away")

    world.cache.get = get  # type: ignore[method-assign]  # the cache goes away
    assert await status(world, "/person", headers) == 200


async def test_places_are_counted_by_user_and_peer(world: World) -> None:
    """The stream's place is taken with the caller's own figures."""
    assert values().streams_per_user == 2
    headers = await world.bearer()
    assert [await status(world, "/place", headers) for _ in range(3)] == [200, 200, 429]
    assert world.parts.places.open == 2


async def test_a_revocation_while_a_stream_opens_is_not_missed(world: World) -> None:
    """Let in, then revoked, then seated: the second look tells."""
    entered = await world.enter()
    claims = world.parts.tokens.read(entered["access_token"], now_s=world.hands.now_s)
    caller = Caller(claims.user_id, claims.scope, claims.jti, claims.expires_s, claims.origin)
    check_still_known(caller, world.parts)
    await world.parts.revocations.revoke(claims.jti, expires_s=claims.expires_s)
    with pytest.raises(Unauthenticated):
        check_still_known(caller, world.parts)


def test_a_caller_dies_with_his_token_and_his_key() -> None:
    """What closes a stream: the two subjects of its token."""
    caller = Caller("u_1", frozenset({Scope.PERSON}), "jti-1", 1, origin="key:k1")
    assert [caller.dies_with(subject) for subject in ("jti-1", "key:k1", "jti-2", "")] == [True, True, False, False]
    assert not Caller("u_1", frozenset(), "jti-1", 1).dies_with("")
