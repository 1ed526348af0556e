"""The catalogue from outside."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from __tests__.accounts.acquainted import acquainted
from __tests__.catalog.test_directory import Exchange, Time
from cryptomarket.catalog.directory import Catalogue

ROWS: list[dict[str, Any]] = [
    {"instrument_name": "BTC-PERPETUAL", "kind": "future", "settlement_period": "perpetual", "base_currency": "BTC",
     "quote_currency": "USD", "settlement_currency": "BTC", "tick_size": 0.5, "is_active": True, "state": "open"},
    {"instrument_name": "ETH_USDC", "kind": "spot", "base_currency": "ETH", "quote_currency": "USDC"},
    {"instrument_name": "BTC-27DEC26", "kind": "future", "settlement_period": "month", "base_currency": "BTC",
     "expiration_timestamp": 1_798_358_400_000, "creation_timestamp": 5},
]  # fmt: skip


@pytest.fixture
def catalogue() -> Catalogue:
    exchange = Exchange()
    exchange.rows = list(ROWS)
    return Catalogue(exchange, clock=Time().clock)


@pytest.fixture
async def client(catalogue: Catalogue) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=acquainted({"catalog": catalogue}))
    async with httpx2.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield client


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({}, ["btc_usd", "btc_usdc", "eth_usd", "BTC-27DEC26", "BTC-PERPETUAL", "ETH_USDC"]),
        ({"kind": "perpetual"}, ["BTC-PERPETUAL"]),
        ({"kind": "option"}, []),
        ({"currency": "eth"}, ["eth_usd", "ETH_USDC"]),
        ({"currency": "USD", "kind": "index"}, ["btc_usd", "eth_usd"]),
        ({"active": "false"}, ["BTC-27DEC26"]),
        ({"active": "true", "currency": "BTC"}, ["btc_usd", "btc_usdc", "BTC-PERPETUAL"]),
    ],
)
async def test_tickers_are_chosen(
    catalogue: Catalogue, client: httpx2.AsyncClient, query: dict[str, str], names: list[str]
) -> None:
    """Promise: kind, currency and activity each narrow; what is left comes by kind and name."""
    await catalogue.load()
    catalogue.restate("BTC-27DEC26", "settlement")
    answer = await client.get("/api/v2/tickers", params=query)
    assert answer.status_code == 200
    assert [each["ticker"] for each in answer.json()["data"]] == names
    assert answer.json()["count"] == len(names)


async def test_everything_that_is_known_is_told(catalogue: Catalogue, client: httpx2.AsyncClient) -> None:
    """Promise: currencies, state and expiry are the exchange's, numbers keep their digits, what is not said is null."""
    await catalogue.load()
    [told] = (await client.get("/api/v2/tickers", params={"kind": "future"})).json()["data"]
    assert (told["creation_ms"], told["expiration_ms"], told["strike"]) == (5, 1_798_358_400_000, None)
    assert '"tick_size":0.5' in (await client.get("/api/v2/tickers")).text


@pytest.mark.parametrize(
    ("query", "status", "field"),
    [({"kind": "bond"}, 422, "kind"), ({"active": "perhaps"}, 400, "active"), ({"currency": ""}, 422, "currency")],
)
async def test_what_cannot_be_is_refused(
    catalogue: Catalogue, client: httpx2.AsyncClient, query: dict[str, str], status: int, field: str
) -> None:
    """Promise: each mistake is told with its field."""
    await catalogue.load()
    answer = await client.get("/api/v2/tickers", params=query)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (status, field)


async def test_before_it_is_loaded_nothing_is_told(client: httpx2.AsyncClient) -> None:
    """Promise: an unknown catalogue is no empty one."""
    answer = await client.get("/api/v2/tickers")
    assert answer.status_code == 503
    assert "retry-after" in answer.headers
