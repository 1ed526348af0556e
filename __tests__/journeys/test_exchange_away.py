"""With the exchange out of reach, the gateway runs, says so everywhere, and makes nothing up."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from __tests__.journeys.contract import contract_of, watched
from __tests__.journeys.gateway import Gateway, Json, gateway, reading

pytestmark = pytest.mark.asyncio(loop_scope="module")

HEARD, NEVER_HEARD = "btc_usd", "sol_usdc"
NOBODY = "ws://127.0.0.1:9/ws/api/v2"


@dataclass(frozen=True)
class Stage:
    """A gateway whose exchange is gone, and a user whose saved set is of better days: one ticker was heard then, and
    one never was.
    """

    gate: Gateway
    token: str
    last: Json


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """One gateway, which was begun with an exchange and goes on without."""
    folder = tmp_path_factory.mktemp("away")
    async with gateway(folder) as before:
        await before.fault({"kind": "silence", "channels": [f"deribit_price_index.{NEVER_HEARD}"]})
        token, _ = await before.login()
        async with before.client(token) as client, reading(before, token) as reader:
            for ticker in (HEARD, NEVER_HEARD):
                assert (await client.put(f"/api/v2/subscriptions/{ticker}")).status_code == 201
            await reader.until(lambda reader: reader.named("message"))
            assert {tick["ticker"] for tick in reader.named("message")} == {HEARD}
            assert await before.stop() == 0
            await reader.until(lambda reader: reader.named("disconnected"))
    settings = {"deribit_ws_url": NOBODY, "login_timeout_s": "1", "request_timeout_s": "1"}
    async with gateway(folder, "serve", **settings) as gate:
        yield Stage(gate, token, reader.named("message")[-1])


async def test_readiness_names_the_exchange(stage: Stage) -> None:
    """Promise: alive, not ready, and the part that is missing is named; the others are well."""
    contract = await contract_of(stage.gate)
    async with watched(stage.gate, contract) as client:
        ready = await client.get("/ready")
        health = await client.get("/health")
    assert ready.status_code == 503
    parts = ready.json()["parts"]
    assert [name for name, part in parts.items() if not part["ready"]] == ["exchange"]
    assert health.status_code == 200
    assert health.json()["exchange_reachable"] is False


async def test_a_login_is_refused_for_now(stage: Stage) -> None:
    """Promise: who can't be asked about is told to come back, and when; he is neither let in nor called wrong."""
    contract = await contract_of(stage.gate)
    pair = {"grant_type": "client_credentials", "client_id": "demo-1", "client_secret": "demo-1-secret"}
    async with watched(stage.gate, contract) as client:
        answer = await client.post("/api/v2/auth/token", data=pair)
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) >= 1
        assert "exchange" in answer.json()["title"]
        headers = {"X-Client-Id": "demo-1", "X-Secret-key": "demo-1-secret"}
        answer = await client.get("/api/v2/sse/connection", headers=headers, params={"tickers": "btc_usd"})
        assert answer.status_code == 503


async def test_a_stream_makes_nothing_up(stage: Stage) -> None:
    """Promise: what was heard in better days is told with its age and never as `live`; what never was, as `unknown`."""
    async with reading(stage.gate, stage.token) as reader:
        told = await reader.until(lambda reader: len(reader.named("snapshot")) == 2 and reader.named("snapshot"))
        heard, never = told
        assert (never["ticker"], never["state"]) == (NEVER_HEARD, "unknown")
        assert {never[name] for name in ("price", "seq", "timestamp", "age_ms", "received_us")} == {None}
        assert (heard["ticker"], heard["seq"]) == (HEARD, None)
        assert (heard["price"], heard["timestamp"]) == (stage.last["price"], stage.last["timestamp"])
        assert heard["state"] in {"unknown", "down"}
        assert heard["age_ms"] > 0
        assert reader.named("message") == []


async def test_what_cannot_be_looked_up_is_not_called_unknown(stage: Stage) -> None:
    """Promise: whether there is such a ticker only the exchange can say, so it is 503 and not 404; history answers."""
    contract = await contract_of(stage.gate)
    async with watched(stage.gate, contract, stage.token) as client:
        for path in ("/api/v2/sse/connection?tickers=BTC-PERPETUAL", "/api/v2/ticks/BTC-PERPETUAL"):
            answer = await client.get(path)
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) >= 1
        assert (await client.put("/api/v2/subscriptions/eth_usd")).status_code == 503
        kept = (await client.get("/api/v2/subscriptions")).json()["subscriptions"]
        assert [row["ticker"] for row in kept] == [HEARD, NEVER_HEARD]
        assert {row["state"] for row in kept} <= {"unknown", "down"}
