"""Tokens and streams end together: revoked, expired, or with the API key they came from. And who may see what."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from __tests__.journeys.contract import contract_of, watched
from __tests__.journeys.gateway import Gateway, gateway, reading
from __tests__.journeys.witness import comes_true

pytestmark = pytest.mark.asyncio(loop_scope="module")

LOOK_S = 0.1
PAIR = {"client_id": "demo-1", "client_secret": "demo-1-secret"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gate(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    """One gateway for all of them."""
    async with gateway(tmp_path_factory.mktemp("access")) as running:
        yield running


async def test_a_revoked_token_dies_with_its_streams(gate: Gateway) -> None:
    """Promise: within one second the token counts nowhere and its streams have ended with `revoked`; others go on."""
    contract = await contract_of(gate)
    (token, _), (other, _) = await gate.login(1), await gate.login(1)
    async with (
        reading(gate, token) as following,
        reading(gate, token, tickers="btc_usd") as asking,
        reading(gate, other, tickers="btc_usd") as spared,
        watched(gate, contract, token) as client,
    ):
        began_s = time.monotonic()
        assert (await client.post("/api/v2/auth/revoke")).status_code == 200
        assert (await client.get("/api/v2/me")).status_code == 401
        for reader in (following, asking):
            await reader.until(lambda reader: reader.named("disconnected"), within_s=1)
            assert reader.named("disconnected")[0]["reason"] == "revoked"
        assert time.monotonic() - began_s < 1
        for reader in (following, asking):
            await reader.until(lambda reader: reader.ended, within_s=5)
        assert (await client.get("/api/v2/sse/connection", params={"lifetime": 1})).status_code == 401
        await spared.next("message")
        assert not spared.ended


async def test_a_revocation_outlives_a_restart(tmp_path: Path) -> None:
    """Promise: what was revoked stays so, also after a crash; and a token that was not is good afterwards."""
    async with gateway(tmp_path) as gate:
        (revoked, _), (good, user_id) = await gate.login(1), await gate.login(1)
        contract = await contract_of(gate)
        async with watched(gate, contract, revoked) as client:
            assert (await client.post("/api/v2/auth/revoke")).status_code == 200
        await gate.kill()
        await gate.start()
        async with watched(gate, contract, revoked) as client:
            assert (await client.get("/api/v2/me")).status_code == 401
        async with watched(gate, contract, good) as client:
            assert (await client.get("/api/v2/me")).json()["user_id"] == user_id


async def test_an_expired_token_ends_its_stream(tmp_path: Path) -> None:
    """Promise: a stream lives no longer than its token, and says so: `expired`."""
    async with gateway(tmp_path, token_life_s="2") as gate:
        headers = {"X-Client-Id": "demo-1", "X-Secret-key": "demo-1-secret"}
        async with reading(gate, headers=headers, tickers="btc_usd") as reader:
            connected = reader.named("connected")[0]
            assert connected["expires_in"] == 2
            token = connected["access_token"]
            async with gate.client(token) as client:
                assert (await client.get("/api/v2/me")).status_code == 200
            await reader.until(lambda reader: reader.named("disconnected"), within_s=5)
            assert reader.named("disconnected")[0]["reason"] == "expired"
            async with gate.client(token) as client:
                assert (await client.get("/api/v2/me")).status_code == 401


async def test_a_pair_in_headers_gets_a_token_to_come_back_with(gate: Gateway) -> None:
    """Promise: a reader with a key pair is logged in once, and returns with the token from `connected`."""
    headers = {"X-Client-Id": "demo-4", "X-Secret-key": "demo-4-secret"}
    async with reading(gate, headers=headers, tickers="btc_usd") as reader:
        connected = reader.named("connected")[0]
        assert connected["expires_in"] > 80_000
        await reader.until(lambda reader: reader.named("message"))
    logins = (await gate.simulator())["logins"]
    back = {"X-User-id": connected["user_id"], "Last-Event-ID": reader.last_id}
    async with reading(gate, connected["access_token"], headers=back, tickers="btc_usd") as reader:
        again = reader.named("connected")[0]
        assert (again["user_id"], again["resume"]) == (connected["user_id"], "complete")
        assert "access_token" not in again
    assert (await gate.simulator())["logins"] == logins


async def test_each_way_to_log_in_is_the_same_person(gate: Gateway) -> None:
    """Promise: form, JSON, Basic and headers lead to one user, who is known by name; a second account is another."""
    contract = await contract_of(gate)
    grant = {"grant_type": "client_credentials"}
    async with watched(gate, contract) as client:
        answers = [
            await client.post("/api/v2/auth/token", data=grant | PAIR),
            await client.post("/api/v2/auth/token", json=grant | PAIR),
            await client.post("/api/v2/auth/token", data=grant, auth=(PAIR["client_id"], PAIR["client_secret"])),
        ]
        assert {answer.status_code for answer in answers} == {200}
        assert {answer.headers["cache-control"] for answer in answers} == {"no-store"}
        assert len({answer.json()["access_token"] for answer in answers}) == 3
        user_ids = {answer.json()["user_id"] for answer in answers}
        assert len(user_ids) == 1
        token = answers[0].json()["access_token"]
        me = (await client.get("/api/v2/me", headers={"Authorization": f"Bearer {token}"})).json()
        assert {me["user_id"]} == user_ids
        assert (me["exchange"], me["email"], me["username"]) == ("simulator", "demo-1@example.com", "demo-1")
    _, other_id = await gate.login(2)
    assert other_id not in user_ids


async def test_an_operators_key(gate: Gateway) -> None:
    """Promise: a key of the command line opens the operation and nothing of a person; it can be ended, and its tokens
    with it.
    """
    contract = await contract_of(gate)
    token = await gate.operator()
    async with watched(gate, contract, token) as client, reading(gate, (await gate.login())[0], tickers="btc_usd"):
        told = (await client.get("/api/v2/operation")).json()
        assert told["exchange"] == "simulator"
        assert len(told["slots"]) == 10
        assert {slot["session_state"] for slot in told["slots"]} == {"ready"}
        assert {"btc_usd", "eth_usd"} <= set(told["held"]) <= set(told["wanted"]) | {"BTC-PERPETUAL"}
        assert told["streams"]["open"] >= 1
        assert told["log"]["head"].partition("-")[2].isdigit()
        assert (await client.get("/api/v2/subscriptions")).status_code == 403
        status, listed, complaint = await gate.run("keys", "list")
        assert status == 0, complaint
        key_id = listed.split()[0]
        assert listed.split()[-1] == "valid"
        status, _, complaint = await gate.run("keys", "revoke", key_id)
        assert status == 0, complaint
        async with asyncio.timeout(10):
            while True:
                if (await client.get("/api/v2/operation")).status_code == 401:
                    break
                await asyncio.sleep(LOOK_S)  # sleep: between two looks at another process


async def test_readiness_names_each_part(gate: Gateway) -> None:
    """Promise: `/ready` tells every part's own truth, to anybody, and `/health` which exchange is behind."""
    contract = await contract_of(gate)
    async with watched(gate, contract) as client:

        async def is_ready() -> bool:
            return (await client.get("/ready")).status_code == 200

        await comes_true(is_ready)
        ready = await client.get("/ready")
        assert ready.json()["parts"].keys() >= {"exchange", "bus", "database", "writer"}
        assert all(part["ready"] for part in ready.json()["parts"].values())
        health = (await client.get("/health")).json()
        assert (health["exchange"], health["simulated"], health["exchange_reachable"]) == ("simulator", True, True)
    async with gate.client() as client:
        assert "<title>cryptomarket</title>" in (await client.get("/")).text
        assert (await client.get("/docs")).status_code == 200
        assert (await client.get("/redoc")).status_code == 200


@pytest.mark.parametrize(
    ("proxies", "statuses"), [("", [200, 200, 429]), ("127.0.0.9", [200, 200, 429]), ("127.0.0.1", [200, 200, 200])]
)
async def test_only_a_proxy_says_for_whom_it_asks(tmp_path: Path, proxies: str, statuses: list[int]) -> None:
    """Promise: who writes another X-Forwarded-For each time is counted as one, unless he is a proxy that is trusted."""
    async with (
        gateway(tmp_path, trusted_proxies=proxies, public_prices_per_minute="2") as gate,
        gate.client() as client,
    ):
        told = [
            (await client.get("/prices", params={"ticker": "btc_usd"}, headers={"X-Forwarded-For": f"192.0.2.{n}"}))
            for n in range(3)
        ]
    assert [answer.status_code for answer in told] == statuses
