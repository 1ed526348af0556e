"""A process that serves readers, and has no session with the exchange."""

import asyncio
from pathlib import Path
from typing import cast

import pytest

from __tests__.postgres_server import PostgresServer
from __tests__.roles.deployment import comes_true, deployment, told_by
from cryptomarket.accounts.parts import AccountsParts
from cryptomarket.errors import ExchangeUnavailable, UnknownTicker
from cryptomarket.history.exports import ExportLimits
from cryptomarket.history.parts import HistoryParts
from cryptomarket.live.events import feed_of
from cryptomarket.live.parts import LiveParts
from cryptomarket.market.ticks import FeedState
from cryptomarket.roles.role import Role
from cryptomarket.secret import Secret
from cryptomarket.simulator.faults import Fault


async def test_it_knows_the_exchange_by_those_who_hear_it(tmp_path: Path, postgres: PostgresServer) -> None:
    """Promise: tickers are resolved, pairs identified, and slots shown, though no session of the exchange is here."""
    async with (
        deployment(tmp_path, postgres) as built,
        built.process(Role.INGEST),
        built.process(Role.API) as api,
    ):
        live = cast("LiveParts", api.state["live"])
        async with asyncio.timeout(20):
            assert (await live.directory.resolve("BTC_usd")).name == "btc_usd"
            with pytest.raises(UnknownTicker):
                await live.directory.resolve("no_such_ticker")
            accounts = cast("AccountsParts", api.state["accounts"])
            entry = await accounts.login.enter("demo-7", Secret("demo-7-secret"), address="127.0.0.1")
        assert entry.token.access_token
        told = told_by(api)
        await comes_true(told.reachable)
        view = await told.operation()
        assert [slot.slot for slot in view.slots] == [0, 1, 2, 3, 4, 5]
        assert view.wanted == ["btc_usd", "eth_usd"]
        assert set(await told.readiness()) == {"bus", "database"}
        async with asyncio.timeout(20):
            await api.hub.reached(5)


async def test_it_hears_of_an_instrument_what_only_others_are_told(tmp_path: Path, postgres: PostgresServer) -> None:
    """Promise: what the exchange says of instruments is in the catalogue of a process without a session at once."""
    async with (
        deployment(tmp_path, postgres) as built,
        built.process(Role.INGEST) as ingest,
        built.process(Role.API) as api,
    ):
        directory = cast("LiveParts", api.state["live"]).directory

        def is_active() -> bool | None:
            known = directory.known("BTC-PERPETUAL")
            return known.is_active if known is not None else None

        await comes_true(told_by(ingest).reachable)
        await comes_true(is_active)
        sockets = built.simulator.exchange.connections
        await comes_true(lambda: any("instrument.state.any.any" in socket.channels for socket in sockets.values()))
        built.simulator.add_faults(
            Fault(kind="instrument_state", names=("BTC-PERPETUAL",), state="halted", duration_s=30)
        )
        await comes_true(lambda: is_active() is False, within_s=5)


async def test_without_anybody_who_hears_it_says_so(tmp_path: Path, postgres: PostgresServer) -> None:
    """Promise: it starts and serves what is known; what only the exchange knows is unavailable, and says why."""
    async with deployment(tmp_path, postgres, request_timeout_s=0.2) as built, built.process(Role.API) as api:
        assert not told_by(api).reachable()
        with pytest.raises(ExchangeUnavailable):
            await cast("LiveParts", api.state["live"]).directory.resolve("btc_usd")
        readiness = await told_by(api).readiness()
        assert all(part.ready for part in readiness.values())


async def test_limits_of_bulk_answers_are_settings(tmp_path: Path, postgres: PostgresServer) -> None:
    """Promise: EXPORTS_AT_ONCE, EXPORTS_PER_USER and EXPORT_STALL_S count."""
    given = {"exports_at_once": 3, "exports_per_user": 2, "export_stall_s": 7.0}
    async with deployment(tmp_path, postgres, **given) as built, built.process(Role.API) as api:
        history = cast("HistoryParts", api.state["history"])
        assert history.exports.limits == ExportLimits(at_once=3, per_user=2, stall_s=7.0)


async def test_streams_learn_that_nobody_hears_the_exchange_any_more(tmp_path: Path, postgres: PostgresServer) -> None:
    """Promise: when the last process that hears the exchange is gone, feeds are down here; with the next, live."""

    def state() -> FeedState:
        return feed_of(api.hub.picture("btc_usd"), now_ms=0)[0]

    async with deployment(tmp_path, postgres, pulse_s=0.05) as built, built.process(Role.API) as api:
        async with built.process(Role.INGEST):
            await comes_true(lambda: state() is FeedState.LIVE)
        await comes_true(lambda: state() is FeedState.DOWN)
        async with built.process(Role.INGEST):
            await comes_true(lambda: state() is FeedState.LIVE)
