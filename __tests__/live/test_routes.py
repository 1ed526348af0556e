"""The stream and the saved set from outside, over a real server."""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from __tests__.live.served import PATH, STREAMS_LIMIT, Served, served, until
from __tests__.live.world import EPOCH, START_MS, events_of, eventually, status, tick
from cryptomarket.accounts.tokens import Scope
from cryptomarket.live.event_schemas import EVENTS
from cryptomarket.market.position import Position
from cryptomarket.market.ticks import FeedState


@pytest.fixture
async def gate(tmp_path: Path, way: str) -> AsyncIterator[Served]:
    async with served(tmp_path) as opened:
        yield opened


async def test_a_stream_says_how_it_is_to_be_handled(gate: Served) -> None:
    """`text/event-stream`, not cached, not transformed, not buffered by a proxy; the request's id in both places."""
    request_id = "5a1f0a4e-9f3e-4a5b-8a63-0d4f5f1d7c11"
    async with gate.stream("?tickers=btc_usd", gate.bearer() | {"X-Request-ID": request_id}) as (response, events):
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert response.headers["cache-control"] == "no-cache, no-transform"
        assert response.headers["x-accel-buffering"] == "no"
        assert response.headers["x-request-id"] == request_id
        [connected] = await until(events, "connected")
        assert connected.data["request_id"] == request_id
        assert connected.data["user_id"] == "u"
        assert "access_token" not in connected.data


async def test_ticks_come_as_they_are_published_and_resume(gate: Served) -> None:
    """Names in any case; the id of the last event goes on where it was, by header or by query."""
    async with gate.stream("?tickers=BTC_usd,btc-perpetual,btc_usd") as (_, events):
        told = await until(events, "snapshot")
        assert told[0].data["tickers"] == ["BTC-PERPETUAL", "btc_usd"]
        await gate.publish(tick("btc_usd"))
        told = await until(events, "message")
        assert told[-1].id == Position(EPOCH, 1)
    await gate.publish(tick("btc_usd", START_MS + 1), tick("btc_usd", START_MS + 2))
    headers = gate.bearer() | {"Last-Event-ID": f"{EPOCH}-1"}
    async with gate.stream("?tickers=btc_usd&last_event_id=garbage", headers) as (_, events):
        told = await until(events, "message")
        assert (told[0].data["resume"], told[1].data["seq"]) == ("complete", 2)
    async with gate.stream(f"?tickers=btc_usd&last_event_id={EPOCH}-2") as (_, events):
        told = await until(events, "message")
        assert (told[0].data["resume"], told[1].data["seq"]) == ("complete", 3)


async def test_a_stream_of_the_saved_set_hears_its_changes(gate: Served) -> None:
    """Changed over HTTP, told in the stream, in order; a stream of fixed tickers is told nothing."""
    async with (
        gate.stream() as (_, events),
        gate.stream("?tickers=eth_usd") as (_, others),
        gate.stream(headers=gate.bearer("v")) as (_, strangers),
    ):
        for each in (events, others, strangers):
            await until(each, "connected")
        answer = await gate.http.put("/api/v2/subscriptions/BTC_USD", headers=gate.bearer())
        assert answer.status_code == 201
        told = await until(events, "snapshot")
        assert [event.name for event in told] == ["subscribed", "snapshot"]
        await gate.http.delete("/api/v2/subscriptions/btc_usd", headers=gate.bearer())
        assert [event.name for event in await until(events, "unsubscribed")] == ["unsubscribed"]
        await gate.publish(tick("eth_usd"))
        assert [event.name for event in await until(others, "message")] == ["snapshot", "message"]


async def test_a_set_over_http(gate: Served) -> None:
    """201 new, 200 had it; the list with each feed's state; 404 for what is not there; all at once."""
    await gate.publish(tick("btc_usd"), status("btc_usd", FeedState.LIVE))
    gate.hands.forward(1.02)
    mine = gate.bearer()
    first = await gate.http.put("/api/v2/subscriptions/btc_usd", headers=mine)
    assert (first.status_code, first.json()) == (201, {"ticker": "btc_usd", "created": True, "tickers": ["btc_usd"]})
    again = await gate.http.put("/api/v2/subscriptions/BTC_USD", headers=mine)
    assert (again.status_code, again.json()["created"]) == (200, False)
    await gate.http.put("/api/v2/subscriptions/btc-perpetual", headers=mine)
    listed = (await gate.http.get("/api/v2/subscriptions", headers=mine)).json()
    since_ms = gate.hands.wall_us // 1000
    assert listed == {
        "user_id": "u",
        "count": 2,
        "subscriptions": [
            {
                "ticker": "BTC-PERPETUAL",
                "subscribed_ms": since_ms,
                "state": "unknown",
                "since_ms": None,
                "age_ms": None,
            },
            {"ticker": "btc_usd", "subscribed_ms": since_ms, "state": "live", "since_ms": START_MS, "age_ms": 1000},
        ],
    }
    gone = await gate.http.delete("/api/v2/subscriptions/eth_usd", headers=mine)
    assert (gone.status_code, gone.json()["status"]) == (404, 404)
    gone = await gate.http.delete("/api/v2/subscriptions/btc_usd", headers=mine)
    assert gone.json() == {"ticker": "btc_usd", "tickers": ["BTC-PERPETUAL"]}
    everything = await gate.http.delete("/api/v2/subscriptions", headers=mine)
    assert (everything.status_code, everything.json()) == (200, {"cancelled": ["BTC-PERPETUAL"]})
    assert (await gate.http.get("/api/v2/subscriptions", headers=gate.bearer("v"))).json()["count"] == 0


async def test_a_full_set_and_an_unknown_ticker_change_nothing(gate: Served) -> None:
    """422 beyond the limit, 404 with the nearest names."""
    for name in ("btc_usd", "eth_usd", "BTC-PERPETUAL"):
        await gate.http.put(f"/api/v2/subscriptions/{name}", headers=gate.bearer())
    unknown = await gate.http.put("/api/v2/subscriptions/btc_usdd", headers=gate.bearer())
    assert unknown.status_code == 404
    assert "btc_usd" in unknown.json()["detail"]
    assert (await gate.http.get("/api/v2/subscriptions", headers=gate.bearer())).json()["count"] == 3


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("?tickers=nothing_like_it", 404),
        ("?tickers=", 400),
        ("?tickers=btc_usd,,eth_usd", 400),
        ("?tickers=a_usd,b_usd,c_usd,d_usd", 422),
        ("?timer=0.049", 422),
        ("?timer=3600.1", 422),
        ("?timer=inf", 422),
        ("?timer=soon", 400),
        ("?mode=some", 422),
        ("?lifetime=0.5", 422),
        ("?lifetime=3601", 422),
        ("?lifetime=nan", 422),
    ],
)
async def test_what_is_wrong_is_told_before_the_stream_opens(gate: Served, query: str, wanted: int) -> None:
    """A real status and a problem document; nobody is seated."""
    answer = await gate.http.get(f"{PATH}{query}", headers=gate.bearer())
    assert answer.status_code == wanted, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert answer.json()["status"] == wanted
    assert not gate.hub.seats


async def test_the_edges_of_what_can_be_asked_are_open(gate: Served) -> None:
    """0.05 and 3600 seconds, 1 second and the server's limit."""
    for query in ("timer=0.05", "timer=3600", "lifetime=1", f"lifetime={math.floor(gate.limits.lifetime_s)}"):
        async with gate.stream(f"?tickers=btc_usd&{query}") as (response, events):
            assert response.status_code == 200
            await until(events, "snapshot")
        await eventually(lambda: not gate.hub.seats)


async def test_who_is_not_let_in(gate: Served) -> None:
    """401 without proof, 403 for a token that is not a person's or another's user id."""
    assert (await gate.http.get(PATH)).status_code == 401
    assert (await gate.http.get(PATH, headers={"Authorization": "Bearer x"})).status_code == 401
    assert (await gate.http.get(PATH, headers=gate.bearer(scope=Scope.OPERATOR))).status_code == 403
    assert (await gate.http.get(PATH, headers=gate.bearer() | {"X-User-id": "v"})).status_code == 403
    async with gate.stream("?tickers=btc_usd", gate.bearer() | {"X-User-id": "u"}) as (response, _):
        assert response.status_code == 200
    for method, path in [("GET", ""), ("PUT", "/btc_usd"), ("DELETE", "/btc_usd"), ("DELETE", "")]:
        assert (await gate.http.request(method, f"/api/v2/subscriptions{path}")).status_code == 401


async def test_a_revoked_token_ends_its_streams_and_no_other(gate: Served) -> None:
    """`disconnected {revoked}`, and the door is closed to it."""
    token = gate.token()
    claims = gate.accounts.tokens.read(token, now_s=gate.hands.wall_us / 1e6)
    headers = {"Authorization": f"Bearer {token}"}
    async with gate.stream("?tickers=btc_usd", headers) as (_, dying), gate.stream("?tickers=btc_usd") as (_, living):
        await until(dying, "snapshot")
        await until(living, "snapshot")
        await gate.accounts.revocations.revoke(claims.jti, expires_s=claims.expires_s)
        told = await until(dying, "disconnected")
        assert told[-1].data == {"reason": "revoked", "retry_ms": 3000}
        await gate.publish(tick("btc_usd"))
        await until(living, "message")
    assert (await gate.http.get(PATH, headers=headers)).status_code == 401


async def test_a_life_is_limited_by_the_asker(gate: Served) -> None:
    """`lifetime=1` ends by itself with `drain`."""
    async with gate.stream("?tickers=btc_usd&lifetime=1") as (_, events):
        await until(events, "snapshot")
        gate.hands.forward(2)
        await gate.publish(tick("btc_usd"))
        told = await until(events, "disconnected")
        assert told[-1].data["reason"] == "drain"
        assert [event async for event in events] == []


async def test_too_many_streams_are_refused_before_they_open(gate: Served) -> None:
    """429 with Retry-After and RateLimit; a place is free again as soon as a stream has ended."""
    async with AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(gate.stream("?tickers=btc_usd")) for _ in range(STREAMS_LIMIT)]
        for _, events in streams:
            await until(events, "snapshot")
        refused = await gate.http.get(f"{PATH}?tickers=btc_usd", headers=gate.bearer())
        assert refused.status_code == 429
        assert refused.headers["retry-after"].isdigit()
        assert refused.headers["ratelimit-limit"] == str(STREAMS_LIMIT)
        async with gate.stream("?tickers=btc_usd", gate.bearer("v")) as (response, _):
            assert response.status_code == 200
    await eventually(lambda: not gate.hub.seats)
    async with gate.stream("?tickers=btc_usd") as (response, _):
        assert response.status_code == 200


async def test_a_reader_who_breaks_off_gives_back_everything(gate: Served) -> None:
    """Places, seats, demand and tasks: a thousand who come and go leave nothing."""
    task_counts = set()
    for _ in range(30):
        async with gate.stream("?tickers=btc_usd") as (_, events):
            await until(events, "connected")
            task_counts.add(len(asyncio.all_tasks()))
        await eventually(lambda: not gate.hub.seats)
    assert gate.hub.tickers == frozenset()
    assert gate.accounts.places.open == 0
    # None is left of one stream while the next one runs.
    assert max(task_counts) - min(task_counts) <= 2
    await eventually(lambda: len(asyncio.all_tasks()) < min(task_counts))


async def test_a_process_that_stops_tells_its_streams(gate: Served) -> None:
    """`disconnected {shutdown}`, and whoever comes meanwhile is told the same."""
    async with gate.stream("?tickers=btc_usd") as (_, events):
        await until(events, "snapshot")
        gate.hub.drain()
        assert (await until(events, "disconnected"))[-1].data["reason"] == "shutdown"
    async with gate.stream("?tickers=btc_usd") as (_, events):
        assert (await until(events, "disconnected"))[-1].data["reason"] == "shutdown"


async def test_the_example_of_the_document_is_a_stream(gate: Served) -> None:
    """What OpenAPI shows can be read as events."""
    document = (await gate.http.get("/openapi.json")).json()
    operation = document["paths"][PATH]["get"]
    shown = operation["responses"]["200"]["content"]["text/event-stream"]["example"]
    assert [event.name for event in events_of(shown.encode())] == ["connected", "message"]
    named = {parameter["name"] for parameter in operation["parameters"]}
    assert named >= {"tickers", "timer", "mode", "lifetime", "last_event_id", "X-Client-Id", "X-Secret-key"}
    assert {"400", "401", "403", "404", "422", "429", "503"} <= operation["responses"].keys()
    variants = operation["responses"]["200"]["content"]["text/event-stream"]["schema"]["contentSchema"]["anyOf"]
    types = [variant["properties"]["event"] for variant in variants]
    assert [name["const"] for name in types] == list(EVENTS)
