"""Resume past the log's reach in a deployment of real processes: out of PostgreSQL, exactly, or told that it is not."""

import signal
from dataclasses import replace
from pathlib import Path

from __tests__.journeys.gateway import reading
from __tests__.journeys.scaled import PREFIX, Deployment, deployment
from __tests__.journeys.test_resume_from_store import seq_of, told
from __tests__.journeys.witness import BUSY, check_order, check_snapshots, check_truth
from __tests__.postgres_server import PostgresServer

TICKERS = ("btc_usd", "eth_usd", "BTC-PERPETUAL")
LOG, HARD = 100, 500
QUICK = replace(BUSY, index_period_s=0.02)
SHORT = {
    "log_capacity": str(LOG),
    "log_hard_capacity": str(HARD),
    "stream_ring_events": "20",
    "writer_flush_ms": "50",
}


def log_begins_at(built: Deployment) -> int:
    """The first position that Redis still has."""
    with built.redis_client() as client:
        [(id_, _)] = client.xrange(f"{PREFIX}log:{built.epoch()}", count=1)
        return int(id_.partition(b"-")[2])


async def test_past_the_logs_reach_the_database_tells_or_it_is_a_reset(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    """Promise: who was away for longer than the log reaches back is told every event out of the database, once, in
    order and as the exchange said it, and goes on live; once a writer was held back for longer than the log waits for
    him, it is a `reset` and snapshots.
    """
    async with deployment(tmp_path, postgres, "api1", "ingest1", "write1", market=QUICK, **SHORT) as built:
        gate, tickers = built["api1"], ",".join(TICKERS)
        token, _ = await gate.login()
        async with reading(gate, token, tickers=tickers) as witness:
            async with reading(gate, token, tickers=tickers) as first:
                await first.until(lambda reader: len(reader.named("message")) >= 5)
            id_ = first.last_id
            await witness.until(lambda reader: seq_of(reader.last_id) > seq_of(id_) + 3 * LOG, within_s=30)
            assert log_begins_at(built) > seq_of(id_) + 1
            async with reading(gate, token, headers={"Last-Event-ID": id_}, tickers=tickers) as back:
                live = seq_of(witness.last_id) + 30
                await back.until(lambda reader: seq_of(reader.last_id) > live)
            await witness.until(lambda reader: seq_of(reader.last_id) >= seq_of(back.last_id))
            assert back.named("connected")[0]["resume"] == "complete"
            assert not back.named("snapshot", "disconnected", "problem")
            ours, theirs = told(back), told(witness)
            assert ours == {seq: theirs[seq] for seq in theirs if seq_of(id_) < seq <= seq_of(back.last_id)}
            assert list(ours) == sorted(ours)

            writer = built["write1"].process
            assert writer is not None
            writer.send_signal(signal.SIGSTOP)
            await witness.until(lambda reader: seq_of(reader.last_id) > seq_of(back.last_id) + HARD + LOG, within_s=30)
            async with reading(gate, token, headers={"Last-Event-ID": back.last_id}, tickers=tickers) as late:
                await late.until(lambda reader: len(reader.named("message")) >= 5)
            writer.send_signal(signal.SIGCONT)
            assert late.named("connected")[0]["resume"] == "reset"
            assert len(late.named("snapshot")) == len(TICKERS)
            for reader in (witness, late):
                check_order(reader)
            for ticker in TICKERS:
                check_truth(witness, built.simulator, ticker)
                check_snapshots(late, built.simulator, ticker)
        await built.check_alive("api1", "write1")
