"""A deployment of real processes, as its users see it: one gateway, whichever process they meet, and whoever dies."""

import asyncio
import time
from pathlib import Path

from __tests__.journeys.gateway import Gateway, Reader, exact, reading
from __tests__.journeys.scaled import ALL, TICKERS, deployment, in_front
from __tests__.journeys.witness import check_everything, check_history, comes_true, hears, of
from __tests__.postgres_server import PostgresServer

TAKEN_WITHIN_S = 5.0


async def ticking(reader: Reader) -> None:
    """Waits until ticks of everything come."""
    since = len(reader.events)
    for ticker in TICKERS:
        await hears(reader, ticker, "tick", "tick", "tick", since=since)


async def test_a_user_meets_one_gateway_in_every_process(tmp_path: Path, postgres: PostgresServer) -> None:
    """Promise: who streams from one process and subscribes through another hears it at once; history has what was
    streamed, whoever is asked; a token that is revoked at one door is dead at all.
    """
    async with deployment(tmp_path, postgres, *ALL) as built, in_front(built, "api1", "api2") as front:
        await built.is_shared_by("ingest1", "ingest2")
        token, _ = await front.login()
        async with reading(built["api1"], token) as one, reading(front, token) as either:
            async with built["api2"].client(token) as client:
                answer = await client.put("/api/v2/subscriptions/BTC-PERPETUAL")
                assert answer.status_code == 201, answer.text
                for reader in (one, either):
                    told = await reader.until(lambda reader: reader.named("subscribed"))
                    assert told[0]["tickers"] == ["BTC-PERPETUAL"]
                assert (await client.put("/api/v2/subscriptions/btc_usd")).status_code == 201
            for reader in (one, either):
                for ticker in ("BTC-PERPETUAL", "btc_usd"):
                    await hears(reader, ticker, *["tick"] * 10, since=0)
            for name, reader in (("api2", one), ("api1", either)):
                await check_everything(reader, built.scene(name), token, ["BTC-PERPETUAL", "btc_usd"])
            await check_history(one, front, token, "btc_usd")
            async with reading(built["api2"], token, last_event_id=one.last_id) as moved:
                assert moved.named("connected")[0]["resume"] == "complete"
                await hears(moved, "btc_usd", "tick", since=0)
            async with built["api2"].client(token) as client:
                assert (await client.post("/api/v2/auth/revoke")).is_success
            for reader in (one, either):
                ended = await reader.until(lambda reader: reader.named("disconnected"), within_s=5)
                assert ended[0]["reason"] == "revoked"
        await built.check_alive(*ALL)


async def test_a_killed_ingest_process_costs_a_gap_that_is_told(tmp_path: Path, postgres: PostgresServer) -> None:
    """Promise: the slots of a process that was killed are taken within five seconds; the stream goes on with a gap for
    what nobody heard, no tick doubled, reordered or made up; the store has the same.
    """
    async with deployment(tmp_path, postgres, *ALL) as built, in_front(built, "api1", "api2") as front:
        await built.is_shared_by("ingest1", "ingest2")
        token, _ = await front.login()
        async with reading(front, token, tickers=",".join(TICKERS)) as reader:
            await ticking(reader)
            since = len(reader.events)
            killed_s = time.monotonic()
            await built["ingest1"].kill()
            await comes_true(lambda: set(built.lease_owners()) == {"ingest2"})
            assert time.monotonic() - killed_s < TAKEN_WITHIN_S
            orphans = await reader.until(lambda reader: _taken_over(reader, since))
            for ticker in orphans:
                await hears(reader, ticker, "gap:disconnect", "tick", "live", "tick", since=since)
            await ticking(reader)
            assert of(reader, next(iter(orphans)), "gap", since=since)
            await check_everything(reader, built.scene("api1"), token, TICKERS)
            await built.start("ingest1")
            await built.is_shared_by("ingest1", "ingest2")
            await ticking(reader)
            await check_everything(reader, built.scene("api1"), token, TICKERS)
        await built.check_alive("api1", "api2", "ingest2", "write1")


def _taken_over(reader: Reader, since: int) -> set[str]:
    return {
        ticker for ticker in TICKERS if any(s["state"] == "down" for s in of(reader, ticker, "status", since=since))
    }


async def nothing_is_complete(gate: Gateway, token: str) -> None:
    """No answer about the last second says that nothing is missing of it."""
    start_ms = time.time_ns() // 1_000_000 - 1000
    async with gate.client(token) as client:
        for ticker in TICKERS:
            for path in ("ticks/{}", "ticks/{}/stats"):
                answer = await client.get(f"/api/v2/{path.format(ticker)}", params={"start": start_ms})
                assert answer.json()["complete"] is False, answer.text
            lines = await client.get(f"/api/v2/ticks/{ticker}", params={"start": start_ms, "format": "ndjson"})
            assert exact(lines.text.splitlines()[-1])["trailer"]["complete"] is False, lines.text


async def test_streams_are_told_when_nobody_hears_the_exchange(tmp_path: Path, postgres: PostgresServer) -> None:
    """Promise: while all who hear the exchange are gone, feeds are down for that reason, told without an id, also to
    who comes meanwhile; when one is back, each feed goes on behind its gap.
    """
    async with deployment(tmp_path, postgres, "api1", "ingest1", "ingest2", "write1") as built:
        token, _ = await built["api1"].login()
        async with reading(built["api1"], token, tickers=",".join(TICKERS)) as reader:
            await ticking(reader)
            since = len(reader.events)
            await asyncio.gather(built["ingest1"].kill(), built["ingest2"].kill())
            await reader.until(lambda reader: all(of(reader, ticker, "status", since=since) for ticker in TICKERS))
            for ticker in TICKERS:
                [told] = of(reader, ticker, "status", since=since)
                assert (told["state"], told["reason"], told["seq"]) == ("down", "ingest", None)
            assert (await reader.next("keep_alive"))["feeds"]["btc_usd"]["state"] == "down"
            await nothing_is_complete(built["api1"], token)
            async with reading(built["api1"], token, tickers="btc_usd") as late:
                await late.until(lambda late: late.named("snapshot"))
                assert late.named("snapshot")[0]["state"] == "down"
                assert late.named("snapshot")[0]["price"] is not None
            await built.start("ingest2")
            for ticker in TICKERS:
                await hears(reader, ticker, "down", "gap:disconnect", "tick", "live", "tick", since=since)
            await ticking(reader)
            statuses = [status for ticker in TICKERS for status in of(reader, ticker, "status", since=since)]
            assert len(statuses) >= 2 * len(TICKERS)
            assert not [status for status in statuses if status["reason"] == "ingest" and status["seq"] is not None]
            await check_everything(reader, built.scene("api1"), token, TICKERS)
        await built.check_alive("api1", "ingest2", "write1")
