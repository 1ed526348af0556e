"""The older paths of the saved set: the same functions, answers in `detail`, and GET that changes state."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from __tests__.live.served import Served, served


@pytest.fixture
async def gate(tmp_path: Path, way: str) -> AsyncIterator[Served]:
    async with served(tmp_path) as opened:
        yield opened


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_subscribing(gate: Served, method: str) -> None:
    """201 new, 200 had it, with a real body."""
    path = "/api/v1/market/u/create_order/BTC_USD"
    first = await gate.http.request(method, path, headers=gate.bearer())
    wanted = {"detail": {"ticker": "btc_usd", "created": True, "tickers": ["btc_usd"]}}
    assert (first.status_code, first.json()) == (201, wanted)
    again = await gate.http.request(method, path, headers=gate.bearer())
    assert (again.status_code, again.json()["detail"]["created"]) == (200, False)


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_cancelling(gate: Served, method: str) -> None:
    """200 with what is left; 404 for what is not subscribed; all at once."""
    for name in ("btc_usd", "eth_usd"):
        await gate.http.put(f"/api/v2/subscriptions/{name}", headers=gate.bearer())
    path = "/api/v1/market/u/cancel_order/btc_usd"
    gone = await gate.http.request(method, path, headers=gate.bearer())
    assert (gone.status_code, gone.json()) == (200, {"detail": {"ticker": "btc_usd", "tickers": ["eth_usd"]}})
    assert (await gate.http.request(method, path, headers=gate.bearer())).status_code == 404
    everything = await gate.http.request(method, "/api/v1/market/u/cancel_all_orders", headers=gate.bearer())
    assert (everything.status_code, everything.json()) == (200, {"detail": {"cancelled": ["eth_usd"]}})


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "create_order/btc_usd"), ("POST", "create_order/btc_usd"), ("GET", "cancel_order/btc_usd"),
        ("DELETE", "cancel_order/btc_usd"), ("GET", "cancel_all_orders"), ("DELETE", "cancel_all_orders"),
    ],
)  # fmt: skip
async def test_only_ones_own_and_only_from_ones_own_page(gate: Served, method: str, path: str) -> None:
    """403 for another's user id, 401 without a token, 403 for a cookie that another site makes the browser send."""
    url = f"/api/v1/market/u/{path}"
    assert (await gate.http.request(method, url, headers=gate.bearer("v"))).status_code == 403
    assert (await gate.http.request(method, url)).status_code == 401
    cookie = {"Cookie": f"cryptomarket_token={gate.token()}"}
    assert (await gate.http.request(method, url, headers=cookie)).status_code == 403
    assert (await gate.http.request(method, url, headers=cookie | {"Origin": "http://evil.test"})).status_code == 403
    assert await gate.live.subscriptions.tickers("u") == []
    own = await gate.http.request(method, url, headers=cookie | {"Sec-Fetch-Site": "same-origin"})
    assert own.status_code in {200, 201, 404}


async def test_an_unknown_ticker(gate: Served) -> None:
    """404 naming the nearest, and nothing is kept."""
    answer = await gate.http.get("/api/v1/market/u/create_order/btc_usdd", headers=gate.bearer())
    assert answer.status_code == 404
    assert "btc_usd" in answer.json()["detail"]
