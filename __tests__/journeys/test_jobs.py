"""Jobs of a gateway of one process: the same ones, inline, on a clock that may jump."""

import asyncio
import datetime as dt
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

from __tests__.journeys.gateway import Gateway, Json, exact, gateway
from __tests__.journeys.witness import comes_true
from __tests__.journeys.working import faked_clock

PERIOD_MS = 2000
OFTEN = {
    "collect_index_prices_s": "2",
    "collect_tickers_s": "2",
    "refresh_latest_s": "2",
    "check_health_s": "2",
    "make_partitions_s": "2",
    "finalise_candles_s": "2",
    "refresh_catalogue_s": "3",
    "repair_gaps_s": "2",
    "check_candles_s": "2",
    "retention_days": "1",
    "remove_old_ticks_s": "2",
}


def rows(gate: Gateway, sql: str) -> list[tuple[Json, ...]]:
    """What the database has, or is told."""
    with closing(sqlite3.connect(gate.database)) as database, database:
        return database.execute(sql).fetchall()


async def run_by_hand(gate: Gateway, *job: str) -> str:
    """What the command says of a run that it has waited for, begun between two runs of the job's own schedule."""
    status, told, complaint = await gate.run("jobs", "run", *job, "--wait")
    while status and "is under way already" in complaint:
        status, told, complaint = await gate.run("jobs", "run", *job, "--wait")
    assert status == 0, complaint
    return told


async def test_every_job_is_run_when_it_is_due(tmp_path: Path) -> None:
    """Promise: each period of each job is run once, with what it has come to; of those of the prices none is left out,
    and both indices are stored for each, to the digit that its record tells; `/ready` says that the clock is kept; an
    operator starts one by hand.
    """
    async with gateway(tmp_path, **OFTEN) as gate:
        jobs = set(OFTEN) - {"retention_days"}

        async def has_all_run() -> bool:
            found = await asyncio.to_thread(rows, gate, "SELECT job FROM crypto_job_runs WHERE state = 'succeeded'")
            counted = Counter(job for (job,) in found)
            return counted["collect_index_prices"] >= 3 and all(counted[name.removesuffix("_s")] >= 2 for name in jobs)

        await comes_true(has_all_run, within_s=30)
        async with gate.client() as client:
            assert (await client.get("/ready")).json()["parts"]["jobs"]["ready"] is True
        async with gate.client(await gate.operator()) as client:
            task = (await client.post("/workers/tasks/check_health")).json()

            async def is_over() -> bool:
                told = (await client.get(task["status_url"])).json()
                return bool(told["finished"]) and told["result"]["ready"] is True

            await comes_true(is_over)
        status, listed, complaint = await gate.run("jobs", "list")
        assert status == 0, complaint
        assert "collect_index_prices" in listed
        told = await run_by_hand(gate, "remove_old_ticks", "days=30", "dry_run=true")
        assert '"dry_run":true' in told.replace(" ", "")
        words = ("tickers=BTC-PERPETUAL,btc_usd", "resolution=60", "start=2026-01-31T12:00:00Z", "end=1769871600")
        told = await run_by_hand(gate, "check_candles", *words)
        assert '"resolution":"60","start":1769860800000,"end":1769871600000,"tickers":1,"indices":1' in told
        assert (await gate.run("jobs", "run", "check_candles", "resolution=7"))[0] == 2
        assert (await gate.run("jobs", "run", "nothing"))[0] == 2
    ended = "cause = 'schedule' AND state = 'succeeded'"
    assert rows(gate, f"SELECT DISTINCT attempts FROM crypto_job_runs WHERE {ended}") == [(1,)]
    sql = f"SELECT scheduled_ms, result FROM crypto_job_runs WHERE job = 'collect_index_prices' AND {ended}"
    stored = {at: exact(result)["stored"] for at, result in rows(gate, sql)}
    assert sorted(stored) == list(range(min(stored), max(stored) + PERIOD_MS, PERIOD_MS)), "a period was left out"
    assert all(set(told) == {"btc_usd", "eth_usd"} for told in stored.values())
    prices = {
        (ticker, told["timestamp"], str(told["price"])) for each in stored.values() for ticker, told in each.items()
    }
    kept = rows(gate, "SELECT ticker, timestamp_ms, price FROM crypto_price_tickers WHERE source = 'collected'")
    assert prices <= set(kept)
    assert {ticker for ticker, _, _ in kept} == {"btc_usd", "eth_usd"}


async def test_at_midnight_persons_are_written_down_once(tmp_path: Path) -> None:
    """Promise: the clock is set forward to midnight UTC: who was here is in the database as he was last known, by one
    run; and so he is when the gateway is told to end.
    """
    clock = tmp_path / "clock"
    clock.write_text("+0")
    async with gateway(tmp_path, **faked_clock(clock)) as gate:
        _, user_id = await gate.login(1)
        assert rows(gate, "SELECT count(*) FROM crypto_job_runs WHERE job = 'flush_persons'") == [(0,)]
        # Who logs in first is stored at once: only what is known of him since is the job's to write.
        rows(gate, f"UPDATE crypto_person SET email = 'before@example.com' WHERE user_id = '{user_id}'")
        email = f"SELECT email FROM crypto_person WHERE user_id = '{user_id}'"
        assert rows(gate, email) == [("before@example.com",)]
        midnight = dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        left_s = (midnight + dt.timedelta(days=1) - dt.datetime.now(dt.UTC)).total_seconds()
        clock.write_text(f"+{left_s - 1:.0f}s")
        sql = "SELECT scheduled_ms, result FROM crypto_job_runs WHERE job = 'flush_persons' AND state = 'succeeded'"

        async def is_flushed() -> bool:
            return bool(await asyncio.to_thread(rows, gate, sql))

        await comes_true(is_flushed, within_s=60)
        assert rows(gate, sql) == [(int(midnight.timestamp() * 1000) + 86_400_000, '{"persons":1}')]
        assert rows(gate, email) == [("demo-1@example.com",)]
        rows(gate, f"UPDATE crypto_person SET email = 'before@example.com' WHERE user_id = '{user_id}'")
        assert await gate.stop() == 0
        assert rows(gate, email) == [("demo-1@example.com",)]
        assert rows(gate, "SELECT count(*) FROM crypto_person") == [(1,)]
