"""HTTP: the same methods on the same port, credentials in headers, errors with a status."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator

import pytest

from __tests__.simulator.talk import validate_reply
from __tests__.simulator.wire import http, http_connection
from cryptomarket.simulator.accounts import http_signature
from cryptomarket.simulator.options import SimulatorOptions
from cryptomarket.simulator.server import RunningSimulator, running

SUMMARY = "/api/v2/private/get_account_summary?currency=BTC&extended=true"


@pytest.fixture
async def simulator() -> AsyncIterator[RunningSimulator]:
    async with running(SimulatorOptions(port=0)) as found:
        yield found


async def test_get_with_a_query_has_no_id(simulator: RunningSimulator) -> None:
    status, reply = await http(simulator, "GET", "/api/v2/public/get_index_price?index_name=btc_usd")
    assert status == 200
    assert "id" not in reply
    validate_reply("public/get_index_price", reply)


@pytest.mark.parametrize("target", ["/api/v2/public/ticker", "/api/v2", "/api/v2/"])
async def test_post_with_a_body_echoes_its_id(simulator: RunningSimulator, target: str) -> None:
    body = {"jsonrpc": "2.0", "id": "x", "method": "public/ticker", "params": {"instrument_name": "BTC-PERPETUAL"}}
    status, reply = await http(simulator, "POST", target, json.dumps(body).encode())
    assert (status, reply["id"]) == (200, "x")
    validate_reply("public/ticker", reply)


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("/api/v2/public/subscribe?channels[]=platform_state", 10030),
        ("/api/v2/public/set_heartbeat?interval=10", 10030),
        ("/api/v2/private/logout", 10030),
        ("/api/v2/public/no_such", -32601),
        ("/api/v2/public/ticker", -32602),
        ("/api/v2/public/subscribe?channels=platform_state", -32602),
        (SUMMARY, 13009),
    ],
)
async def test_errors_have_status_400(simulator: RunningSimulator, target: str, code: int) -> None:
    status, reply = await http(simulator, "GET", target)
    assert (status, reply["error"]["code"]) == (400, code)
    validate_reply("", reply)


async def test_a_body_that_is_not_json(simulator: RunningSimulator) -> None:
    status, reply = await http(simulator, "POST", "/api/v2/public/test", b"{nope")
    assert (status, reply["error"]) == (400, {"code": 11050, "data": "invalid json", "message": "bad_request"})


async def test_a_large_body_is_refused(simulator: RunningSimulator) -> None:
    status, reply = await http(simulator, "POST", "/api/v2/public/test", b" " * 33_000)
    assert (status, reply["error"]["message"]) == (413, "request entity too large")


async def test_the_three_kinds_of_credentials(simulator: RunningSimulator) -> None:
    login = "/api/v2/public/auth?grant_type=client_credentials&client_id=demo-3&client_secret=demo-3-secret"
    _, reply = await http(simulator, "GET", login)
    bearer = f"Bearer {reply['result']['access_token']}"
    basic = "Basic " + base64.b64encode(b"demo-3:demo-3-secret").decode()
    stamp = str(simulator.now_us() // 1000)
    signature = http_signature("demo-3-secret", stamp, "n", "GET", SUMMARY, "")
    signed = f"deri-hmac-sha256 id=demo-3,ts={stamp},nonce=n,sig={signature}"
    for header in (bearer, basic, signed):
        status, reply = await http(simulator, "GET", SUMMARY, headers={"Authorization": header})
        assert (status, reply["result"]["email"]) == (200, "demo-3@example.com")


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("Bearer nonsense", 13009),
        ("Basic " + base64.b64encode(b"demo-3:wrong").decode(), 13004),
        ("Basic %%%", 13004),
        ("deri-hmac-sha256 id=demo-3,ts=1,nonce=n,sig=0", 13004),
        ("Digest x", 13009),
    ],
)
async def test_wrong_credentials(simulator: RunningSimulator, header: str, code: int) -> None:
    status, reply = await http(simulator, "GET", SUMMARY, headers={"Authorization": header})
    assert (status, reply["error"]["code"]) == (400, code)


async def test_one_connection_serves_many_requests(simulator: RunningSimulator) -> None:
    def ask_often() -> list[int]:
        connection = http_connection(simulator)
        statuses = []
        for _ in range(3):
            connection.request("GET", "/api/v2/public/get_time")
            response = connection.getresponse()
            response.read()
            statuses.append(response.status)
        connection.close()
        return statuses

    assert await asyncio.to_thread(ask_often) == [200, 200, 200]


async def test_too_many_requests_ride_on_429() -> None:
    async with running(SimulatorOptions(port=0)) as simulator:
        statuses = [(await http(simulator, "GET", "/api/v2/public/get_time"))[0] for _ in range(130)]
    assert statuses[0] == 200
    assert 429 in statuses
