"""A reader who was away for longer than the log reaches back: told out of the database, or told so."""

import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from __tests__.journeys.gateway import Json, Reader, exact, reading
from __tests__.journeys.witness import BUSY, Scene, check_order, comes_true, scene
from cryptomarket.db import Database
from cryptomarket.history.retention_repository import RetentionRepository
from cryptomarket.history.upkeep import DAY_MS, remove_old_ticks

TICKERS = "btc_usd,eth_usd,BTC-PERPETUAL"
# The log and the ring are far shorter than what is published while the reader is away.
SHORT = {"log_capacity": "100", "stream_ring_events": "20", "writer_flush_ms": "50"}
AWAY = 400
QUICK = replace(BUSY, index_period_s=0.02)


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene(tmp_path, SHORT, market=QUICK) as running:
        yield running


def seq_of(id_: str) -> int:
    return int(id_.rpartition("-")[2])


def told(reader: Reader) -> dict[int, Json]:
    """What was told of tickers, by position."""
    names = {"message", "status", "gap"}
    return {exact(event.data)["seq"]: exact(event.data) for event in reader.events if event.event in names}


async def left(running: Scene, token: str) -> str:
    """The id of a reader who has heard something, and left."""
    async with reading(running.gate, token, tickers=TICKERS) as reader:
        await reader.until(lambda reader: len(reader.named("message")) >= 5)
    return reader.last_id


async def test_everything_is_told_and_then_it_goes_on_live(running: Scene) -> None:
    """Promise: past the log's reach the database tells every event, once and in order, and the stream goes on live."""
    token, _ = await running.gate.login()
    async with reading(running.gate, token, tickers=TICKERS) as witness:
        id_ = await left(running, token)
        await witness.until(lambda reader: seq_of(reader.last_id) > seq_of(id_) + AWAY, within_s=60)
        live = seq_of(witness.last_id) + 50
        async with reading(running.gate, token, headers={"Last-Event-ID": id_}, tickers=TICKERS) as back:
            await back.until(lambda reader: seq_of(reader.last_id) > live)
            await witness.until(lambda reader: seq_of(reader.last_id) >= seq_of(back.last_id))
    assert back.named("connected")[0]["resume"] == "complete"
    assert not back.named("snapshot", "disconnected", "problem")
    ours, theirs = told(back), told(witness)
    first, last = seq_of(id_) + 1, seq_of(back.last_id)
    assert ours == {seq: data for seq, data in theirs.items() if first <= seq <= last}
    assert list(ours) == sorted(ours)
    check_order(witness)


async def test_what_was_removed_meanwhile_is_a_reset(running: Scene, tmp_path: Path) -> None:
    """Promise: a retention run over what came since turns a resume out of the database into `reset`."""
    token, _ = await running.gate.login()
    id_ = await left(running, token)
    path = next((tmp_path / "data").glob("*.sqlite3"))

    def stored() -> tuple[int, int]:
        with sqlite3.connect(path) as connection:
            found = connection.execute("SELECT max(seq), max(timestamp_ms) FROM crypto_price_tickers").fetchone()
        return found[0] or 0, found[1] or 0

    await comes_true(lambda: stored()[0] > seq_of(id_) + AWAY, within_s=60)
    database = Database(f"sqlite:///{path}")
    # Minutes go whole: by the end of the one that is stored now, all that was stored so far is a day old.
    now_ms = stored()[1] + 60_000 + DAY_MS
    told = await remove_old_ticks(RetentionRepository(database), now_ms=now_ms, days=1, dry_run=False)
    await database.close()
    assert told["rows"]
    async with reading(running.gate, token, headers={"Last-Event-ID": id_}, tickers=TICKERS) as back:
        connected = await back.until(lambda reader: reader.named("connected"))
        await back.until(lambda reader: reader.named("message"))
    assert connected[0]["resume"] == "reset"
    assert len(back.named("snapshot")) == 3
    check_order(back)
