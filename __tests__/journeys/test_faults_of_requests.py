"""Faults of the exchange's answers, door and logins: who asks meanwhile is served late, and nobody is told a lie."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from __tests__.journeys.gateway import reading
from __tests__.journeys.witness import BUSY, Scene, check_everything, comes_true, hears, scene, words_of
from cryptomarket.simulator.faults import Fault

pytestmark = pytest.mark.asyncio(loop_scope="module")

HELD = ("btc_usd", "BTC-PERPETUAL")
OWN_KEY = {"deribit_client_id": "demo-7001", "deribit_client_secret": "demo-7001-secret", "pool_size": "3"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Scene, str]]:
    """One simulator and one gateway, and a token."""
    async with scene(tmp_path_factory.mktemp("requests")) as running:
        token, _ = await running.gate.login()
        yield running, token


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def keyed_stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Scene, str]]:
    """The same with a key of the gateway's own, which opens the raw channels. One session carries everything."""
    async with scene(tmp_path_factory.mktemp("keyed"), OWN_KEY) as running:
        token, _ = await running.gate.login()
        yield running, token


@pytest.mark.parametrize(
    ("fault", "ticker"),
    [
        (Fault(kind="too_many_requests", methods=("public/subscribe",), count=1), "sol_usdc"),
        (Fault(kind="refuse", methods=("public/subscribe",), code=13503), "xrp_usdc"),
        (Fault(kind="refuse", methods=("public/subscribe",), code=-32602), "ada_usdc"),
        (Fault(kind="mute", methods=("public/subscribe",)), "ltc_usdc"),
    ],
    ids=["too_many_requests", "refused_for_now", "refused_as_wrong", "muted"],
)
async def test_a_subscription_that_fails_is_made_up_for(stage: tuple[Scene, str], fault: Fault, ticker: str) -> None:
    """Promise: a ticker whose channel can't be had is told without a price and never `live`; once the exchange gives
    it, ticks come. Nothing is lost untold for the others, whatever session had to end.
    """
    running, token = stage
    simulator = running.simulator
    async with reading(running.gate, token, tickers=",".join(HELD)) as others:
        for name in HELD:
            await hears(others, name, "tick", "tick", since=0)
        asked = simulator.exchange.journal.errors.total() + simulator.exchange.journal.closes.total()
        simulator.add_faults(fault)
        async with reading(running.gate, token, tickers=ticker) as reader:
            try:
                if fault.count is None:
                    await comes_true(lambda: any(known["applied"] for known in simulator.exchange.faults.report()))
                    assert "tick" not in words_of(reader, ticker, 0)
                    assert "live" not in words_of(reader, ticker, 0)
                else:
                    journal = simulator.exchange.journal
                    await comes_true(lambda: journal.errors.total() + journal.closes.total() > asked)
                assert reader.named("snapshot")[0]["price"] is None
                assert reader.named("snapshot")[0]["state"] == "unknown"
            finally:
                simulator.clear_faults()
            await hears(reader, ticker, "live", "tick", "tick", since=0)
            since = len(others.events)
            for name in HELD:
                await hears(others, name, "tick", "tick", since=since)
            await check_everything(reader, running, token, [ticker])
        await check_everything(others, running, token, HELD)


async def test_a_closed_door_is_told_and_knocked_at_until_it_opens(stage: tuple[Scene, str]) -> None:
    """Promise: with every session lost and the door closed, feeds are `down`, `/ready` says so, a login is told to come
    back (503) rather than that it is wrong (401); then everything recovers by itself.
    """
    running, token = stage
    simulator = running.simulator
    async with reading(running.gate, token, tickers=",".join(HELD)) as reader, running.gate.client() as client:
        for name in HELD:
            await hears(reader, name, "tick", "tick", since=0)
        since = len(reader.events)
        refused = simulator.exchange.journal.connections_refused
        simulator.add_faults(Fault(kind="drop"), Fault(kind="refuse_connections"))
        try:
            for name in HELD:
                await hears(reader, name, "down", since=since)
            await comes_true(lambda: simulator.exchange.journal.connections_refused >= refused + 6)
            ready = await client.get("/ready")
            assert (ready.status_code, ready.json()["parts"]["exchange"]["ready"]) == (503, False)
            health = await client.get("/health")
            assert (health.status_code, health.json()["exchange_reachable"]) == (200, False)
        finally:
            simulator.clear_faults()
        for name in HELD:
            await hears(reader, name, "live", "tick", since=since)
        await hears(reader, "btc_usd", "down", "gap:disconnect", "live", "tick", since=since)
        await check_everything(reader, running, token, HELD)


async def test_logins_while_the_exchange_is_away_are_told_to_come_back(tmp_path: Path) -> None:
    """Promise: no answer of the exchange is a 503 with `Retry-After`, never a 401, and the wait is bounded."""
    async with scene(tmp_path, {"login_timeout_s": "1.5", "request_timeout_s": "1"}) as running:
        running.simulator.add_faults(Fault(kind="mute", methods=("public/auth",)))
        pair = {"grant_type": "client_credentials", "client_id": "demo-1", "client_secret": "demo-1-secret"}
        async with running.gate.client() as client, asyncio.timeout(10):
            answer = await client.post("/api/v2/auth/token", data=pair)
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) >= 1
            assert answer.headers["content-type"].startswith("application/problem+json")
            running.simulator.clear_faults()
            async with asyncio.timeout(8):
                while (await client.post("/api/v2/auth/token", data=pair)).status_code != 200:
                    pass


async def test_a_refused_login_is_one_attempt_and_touches_no_stream(stage: tuple[Scene, str]) -> None:
    """Promise: a pair that the exchange refuses is a 401 after one attempt, and market data goes on untouched."""
    running, token = stage
    simulator = running.simulator
    async with reading(running.gate, token, tickers=",".join(HELD)) as reader, running.gate.client() as client:
        for name in HELD:
            await hears(reader, name, "tick", "tick", since=0)
        since = len(reader.events)
        attempts = simulator.exchange.journal.requests["public/auth"] + simulator.exchange.journal.logins_refused
        simulator.add_faults(Fault(kind="refuse_logins"))
        try:
            pair = {"grant_type": "client_credentials", "client_id": "demo-7002", "client_secret": "demo-7002-secret"}
            answer = await client.post("/api/v2/auth/token", data=pair)
        finally:
            simulator.clear_faults()
        assert answer.status_code == 401
        now = simulator.exchange.journal.requests["public/auth"] + simulator.exchange.journal.logins_refused
        assert now == attempts + 1
        for name in HELD:
            await hears(reader, name, "tick", "tick", since=since)
            assert set(words_of(reader, name, since)) == {"tick"}
        await check_everything(reader, running, token, HELD)


async def test_tokens_that_expire_are_replaced_under_the_stream(keyed_stage: tuple[Scene, str]) -> None:
    """Promise: with the gateway's own key, tokens that die cost at most a told reconnect; raw channels are held again,
    for the tickers there were and for new ones.
    """
    running, token = keyed_stage
    simulator = running.simulator
    async with reading(running.gate, token, tickers=",".join(HELD)) as reader:
        for name in HELD:
            await hears(reader, name, "tick", "tick", since=0)
        assert "ticker.BTC-PERPETUAL.raw" in simulator.exchange.subscriptions.followers()
        since = len(reader.events)
        simulator.add_faults(Fault(kind="expire_tokens"))
        async with reading(running.gate, token, tickers="ETH-PERPETUAL") as newcomer:
            await hears(newcomer, "ETH-PERPETUAL", "live", "tick", "tick", since=0)
            followers = simulator.exchange.subscriptions.followers()
            assert {"ticker.BTC-PERPETUAL.raw", "ticker.ETH-PERPETUAL.raw"} <= followers.keys()
            for name in HELD:
                await hears(reader, name, "tick", "tick", since=since)
            await check_everything(newcomer, running, token, ["ETH-PERPETUAL"])
        await check_everything(reader, running, token, HELD)


async def test_a_key_that_is_refused_for_good_leaves_the_slower_channels(tmp_path: Path) -> None:
    """Promise: when the exchange does not take the gateway's own key any more, instruments are held at 100 ms; the loss
    is told, prices go on, and the key is not tried again and again.
    """
    async with scene(tmp_path, OWN_KEY) as running:
        simulator = running.simulator
        token, _ = await running.gate.login()
        async with reading(running.gate, token, tickers=",".join(HELD)) as reader:
            for name in HELD:
                await hears(reader, name, "tick", "tick", since=0)
            simulator.add_faults(Fault(kind="refuse_logins", clients=("*",)), Fault(kind="drop"))
            since = len(reader.events)
            for name in HELD:
                await hears(reader, name, "down", "live", "tick", "tick", since=since)
            assert "ticker.BTC-PERPETUAL.100ms" in simulator.exchange.subscriptions.followers()
            assert simulator.exchange.journal.logins_refused == 1
            await check_everything(reader, running, token, HELD)


async def test_short_lived_tokens_are_renewed_without_a_crack(tmp_path: Path) -> None:
    """Promise: the gateway renews its own token before it expires, again and again, and no stream notices."""
    async with scene(tmp_path, OWN_KEY, market=replace(BUSY, token_life_s=1)) as running:
        token, _ = await running.gate.login()
        async with reading(running.gate, token, tickers=",".join(HELD)) as reader:
            for name in HELD:
                await hears(reader, name, "tick", "tick", since=0)
            since = len(reader.events)
            logins = running.simulator.exchange.journal.logins
            await comes_true(lambda: running.simulator.exchange.journal.logins >= logins + 2)
            for name in HELD:
                assert set(words_of(reader, name, since)) == {"tick"}
            await check_everything(reader, running, token, HELD)
