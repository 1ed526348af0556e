"""A client that others wrote, ccxt's, pointed at the simulator by its URLs alone."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import ccxt.pro
import pytest

from cryptomarket.simulator.options import SimulatorOptions
from cryptomarket.simulator.server import RunningSimulator, running

DEADLINE_S = 30.0


@pytest.fixture
async def simulator() -> AsyncIterator[RunningSimulator]:
    async with running(SimulatorOptions(port=0)) as found:
        yield found


@pytest.fixture
async def deribit(simulator: RunningSimulator) -> AsyncIterator[Any]:
    urls = {"api": {"rest": simulator.http_url, "ws": simulator.ws_url}}
    client = ccxt.pro.deribit({"apiKey": "demo-5", "secret": "demo-5-secret", "urls": urls})
    async with asyncio.timeout(DEADLINE_S):
        yield client
        await client.close()


async def test_markets_are_loaded_and_understood(deribit: Any) -> None:  # noqa: ANN401  # ccxt has no types here
    markets = await deribit.load_markets()
    kinds = {market["type"] for market in markets.values()}
    assert kinds == {"swap", "future", "option", "spot"}
    perpetual = markets["BTC/USD:BTC"]
    assert (perpetual["id"], perpetual["inverse"], perpetual["contractSize"]) == ("BTC-PERPETUAL", True, 10.0)


async def test_a_ticker_is_watched(deribit: Any) -> None:  # noqa: ANN401
    first = await deribit.watch_ticker("BTC/USD:BTC")
    second = await deribit.watch_ticker("BTC/USD:BTC")
    assert second["timestamp"] > first["timestamp"]
    assert first["bid"] < first["ask"]
    assert first["last"] > 10_000


async def test_an_order_book_is_watched_and_stays_whole(deribit: Any) -> None:  # noqa: ANN401
    for _ in range(10):
        book = await deribit.watch_order_book("BTC/USD:BTC")
        assert book["bids"][0][0] < book["asks"][0][0]
        assert len(book["bids"]) == len(book["asks"]) == 40


async def test_trades_are_watched(deribit: Any) -> None:  # noqa: ANN401
    (trade, *_) = await deribit.watch_trades("BTC/USD:BTC")
    assert trade["side"] in ("buy", "sell")
    assert trade["amount"] > 0


async def test_candles_ticker_book_and_trades_are_fetched(deribit: Any) -> None:  # noqa: ANN401
    candles = await deribit.fetch_ohlcv("BTC/USD:BTC", "1m", limit=100)
    assert len(candles) >= 100
    assert all(low <= min(opened, closed) <= max(opened, closed) <= high for _, opened, high, low, closed, _ in candles)
    assert (await deribit.fetch_ticker("ETH/USD:ETH"))["last"] > 500
    assert (await deribit.fetch_order_book("ETH/USD:ETH"))["bids"]
    assert len(await deribit.fetch_trades("BTC/USD:BTC", limit=20)) == 20
    assert (await deribit.fetch_time()) > 0
    assert (await deribit.fetch_status())["status"] == "ok"
    assert "BTC" in await deribit.fetch_currencies()


async def test_signed_requests_and_a_raw_channel(deribit: Any, simulator: RunningSimulator) -> None:  # noqa: ANN401
    balance = await deribit.fetch_balance({"code": "BTC"})
    assert balance["BTC"]["total"] == 0.0
    ticker = await deribit.watch_ticker("BTC/USD:BTC", {"interval": "raw"})
    assert ticker["last"] > 10_000
    assert simulator.exchange.journal.logins == 1


async def test_wrong_credentials_are_its_authentication_error(deribit: Any) -> None:  # noqa: ANN401
    deribit.secret = "wrong"
    with pytest.raises(ccxt.AuthenticationError):
        await deribit.fetch_balance({"code": "BTC"})
