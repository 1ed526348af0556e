"""The Python client against a whole gateway: live, resumed through a death, history, exports, the saved set."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
import pytest_asyncio

from __tests__.journeys.gateway import Gateway, exact, gateway, reading
from __tests__.journeys.witness import comes_true
from cryptomarket.client import (
    EVERYTHING,
    AccessToken,
    Client,
    Connected,
    ExportFormat,
    Gap,
    IndexTick,
    Interrupted,
    KeyPair,
    NotFound,
    PerpetualTick,
    Reset,
    Snapshot,
    Status,
    Tick,
    Unauthenticated,
    Unavailable,
    records,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

TICKERS = ("btc_usd", "BTC-PERPETUAL")
PAIR = KeyPair("demo-1", "demo-1-secret")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gate(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    """One gateway for all."""
    async with gateway(tmp_path_factory.mktemp("python_client")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def client(gate: Gateway) -> AsyncIterator[Client]:
    """A client of it, with the key pair of a demo account."""
    async with Client(gate.url, PAIR) as ours:
        yield ours


async def test_connections_that_end_leave_no_hole_and_no_double(gate: Gateway, client: Client) -> None:
    """Promise: over many connections, each ended by its life, the client hands out exactly what one long stream has."""
    token, _ = await gate.login()
    async with reading(gate, token, tickers=",".join(TICKERS)) as witness, asyncio.timeout(60):
        await witness.until(lambda told: told.named("message"))
        after, connections = witness.last_id, 0
        told: list[tuple[str, int | None, int | None]] = []
        stream = client.stream(*TICKERS, after=after, tells=EVERYTHING, lifetime_s=1)
        async with stream:
            async for event in stream:
                if isinstance(event, Connected):
                    assert event.resume == "complete"
                    connections += 1
                if isinstance(event, Tick | Status | Gap):
                    told.append((event.position or "", event.seq, event.prev_seq))
                if connections >= 3 and len(told) >= 20:
                    break
        await witness.until(
            lambda reader: reader.last_id == told[-1][0] or told[-1][0] in {e.id for e in reader.events}
        )
    ids = [event.id for event in witness.events]
    there = witness.events[ids.index(after) + 1 : ids.index(told[-1][0]) + 1]
    expected = [
        (event.id, exact(event.data)["seq"], exact(event.data)["prev_seq"])
        for event in there
        if event.event in {"message", "status", "gap"}
    ]
    assert told == expected


async def test_a_gateway_that_is_killed_is_waited_for(gate: Gateway, client: Client) -> None:
    """Promise: after `kill -9` and a new start the same iteration goes on by itself: what can't be proven whole is a
    `Reset`, followed by snapshots; the time in which nothing was heard is a recorded gap.
    """
    settings = {**gate.settings, "APP_PORT": gate.url.rpartition(":")[2]}
    told: list[object] = []
    stream = client.stream("btc_usd", tells=EVERYTHING)
    killed = False
    async with stream, asyncio.timeout(60):
        async for event in stream:
            told.append(event)
            if isinstance(event, IndexTick) and not killed:
                await gate.kill()
                killed = True
            if isinstance(event, Interrupted) and "APP_PORT" not in gate.settings:
                gate.settings = settings
                await gate.start()
            if isinstance(event, IndexTick) and any(isinstance(each, Reset) for each in told):
                break
    kinds = [type(event) for event in told]
    assert kinds.index(Interrupted) < kinds.index(Reset)
    assert kinds[kinds.index(Reset) + 1] is Snapshot
    assert kinds[-1] is IndexTick
    assert [gap.cause for gap in await client.gaps("btc_usd")] == ["restart"]


async def test_ticks_are_typed_and_as_exact_as_the_stream(gate: Gateway, client: Client) -> None:
    """Promise: each kind is a type of its own; prices equal the digits that were sent; without wishes there are ticks
    alone in `ticks()`.
    """
    async with asyncio.timeout(30):
        heard = client.stream(*TICKERS).heard()
        seen: dict[type, Decimal] = {}
        async with aclosing(heard):
            async for each in heard:
                if isinstance(each.event, Tick):
                    assert each.event.price == exact(each.data)["price"]
                    seen[type(each.event)] = exact(each.data)["price"]
                if set(seen) == {IndexTick, PerpetualTick}:
                    break
        ticks = client.stream("btc_usd").ticks()
        async with aclosing(ticks):
            assert isinstance(await anext(ticks), IndexTick)


async def restarted(gate: Gateway, client: Client) -> None:
    """Kills it once, unless the test that does so has run here already: tests of a file may run apart."""

    async def is_heard() -> bool:
        return len([row async for row in client.ticks("btc_usd", datetime(2020, 1, 1, tzinfo=UTC))]) > 0

    await comes_true(is_heard)
    if await client.gaps("btc_usd"):
        return
    gate.settings = {**gate.settings, "APP_PORT": gate.url.rpartition(":")[2]}
    await gate.kill()
    await gate.start()


async def test_history_in_all_its_forms(gate: Gateway, client: Client, tmp_path: Path) -> None:
    """Promise: pages, single ticks, statistics, candles, gaps and the catalogue come typed; exports of every format are
    whole and say the same prices.
    """
    start = datetime(2020, 1, 1, tzinfo=UTC)
    stored: list[Tick] = []

    async def are_some() -> bool:
        missed = await client.gaps("btc_usd", start)
        stored[:] = [row async for row in client.ticks("btc_usd", start)]
        return len(stored) > 12 and bool(missed) and missed[-1].to_ms <= stored[-1].timestamp_ms

    await restarted(gate, client)
    await comes_true(are_some, within_s=30)
    # Rows are stored in their order: before the last one, none is still on its way.
    end_ms = stored[-1].timestamp_ms
    rows = [row async for row in client.ticks("btc_usd", start, end_ms)]
    assert rows == [row for row in stored if row.timestamp_ms < end_ms]
    assert [row.timestamp_ms for row in rows] == sorted(row.timestamp_ms for row in rows)
    statistics = await client.statistics("btc_usd", start, end_ms)
    assert statistics.count == len(rows)
    assert statistics.max == max(row.price for row in rows if row.price is not None)
    pages = [page async for page in client.pages("btc_usd", start, end_ms, rows=10)]
    assert [tick.position for page in pages for tick in page.ticks] == [row.position for row in rows]
    assert [gap.cause for gap in pages[0].gaps] == ["restart"]
    assert [gap.cause for gap in await client.gaps("btc_usd", start)] == ["restart"]
    closest = await client.at("btc_usd", rows[3].timestamp_ms + 1, max_difference_ms=60_000)
    assert closest.difference_ms is not None
    candles = await client.candles("btc_usd", "1", rows[0].timestamp_ms, end_ms)
    # Candles are told whole, so the last one has what came after the range.
    assert sum(candle.ticks for candle in candles.candles) >= len(rows)
    [perpetual] = [each for each in await client.tickers(kind="perpetual") if each.ticker == "BTC-PERPETUAL"]
    assert perpetual.quote_currency == "USD"
    for form in ExportFormat:
        path = tmp_path / f"btc_usd.{form}"
        facts = await client.export("btc_usd", path, start, end_ms)
        assert (facts.rows, facts.ticker) == (len(rows), "btc_usd")
        assert facts.sha256
    digest = hashlib.sha256((tmp_path / "btc_usd.csv").read_bytes()).hexdigest()
    assert digest == (await client.export("btc_usd", tmp_path / "again.csv", start, end_ms)).sha256
    assert pq.read_table(tmp_path / "btc_usd.parquet")["price"].to_pylist() == [row.price for row in rows]
    frame = pd.DataFrame(records(rows)).set_index("timestamp_ms")
    assert frame["price"].max() == statistics.max


async def test_the_saved_set_is_followed(client: Client) -> None:
    """Promise: a stream without names follows the saved set, changes included."""
    await client.cancel_all()
    stream = client.stream(tells=EVERYTHING)
    async with stream, asyncio.timeout(30):
        events = aiter(stream)
        assert isinstance(await anext(events), Connected)
        assert await client.subscribe("BTC-perpetual") == ("BTC-PERPETUAL",)
        async for event in events:
            if isinstance(event, PerpetualTick):
                break
    assert [each.ticker for each in await client.subscriptions()] == ["BTC-PERPETUAL"]
    assert await client.cancel("BTC-PERPETUAL") == ()
    with pytest.raises(NotFound, match="not subscribed"):
        await client.cancel("BTC-PERPETUAL")


async def test_who_asks_is_known_or_refused(gate: Gateway) -> None:
    """Promise: wrong credentials and dead tokens are Unauthenticated with the gateway's words; a client with a pair
    outlives the end of its token.
    """
    async with Client(gate.url, KeyPair("demo-1", "wrong")) as wrong:
        with pytest.raises(Unauthenticated):
            await wrong.me()
    async with Client(gate.url, PAIR) as ours, asyncio.timeout(30):
        token = await ours.login()
        assert (await ours.me()).user_id == token.user_id
        async with Client(gate.url, AccessToken(token.access_token)) as borrowed:
            stream = borrowed.stream("btc_usd", tells=EVERYTHING)
            async with stream:
                events = aiter(stream)
                assert isinstance(await anext(events), Connected)
                await ours.revoke()
                with pytest.raises(Unauthenticated):
                    async for _ in events:
                        pass
        assert (await ours.me()).email == "demo-1@example.com"
        assert (await ours.health()).simulated
        assert (await ours.readiness()).ready
        with pytest.raises(NotFound, match="Did you mean btc_usd"):
            await ours.latest("btc_usdd")
    async with Client("http://127.0.0.1:9", PAIR, patience_s=0) as nobody:
        with pytest.raises(Unavailable, match="is away"):
            await nobody.me()
