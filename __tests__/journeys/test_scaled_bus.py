"""A Redis that is lost under a deployment of real processes: stopped, emptied, cut back, or left for an older copy."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from __tests__.backplane.redis_server import RedisSentinel, RedisServer, until
from __tests__.journeys.black_hole import black_hole
from __tests__.journeys.gateway import Gateway, Json, Reader, exact, reading
from __tests__.journeys.scaled import ALL, AWAY_S, TICKERS, Deployment, Ledger, deployment_on, own_redis
from __tests__.journeys.witness import (
    BUSY,
    check_gaps,
    check_order,
    check_truth,
    comes_true,
    event_of,
    frames_of,
    hears,
    says,
)
from __tests__.postgres_server import PostgresServer

ASKED = ",".join(TICKERS)
DOWN_AFTER_MS = 1500


@dataclass
class Voyage:
    """A deployment, one who reads all along, and everything that any position was ever seen to name."""

    built: Deployment
    token: str
    reader: Reader
    ledger: Ledger = field(default_factory=Ledger)

    def note(self) -> None:
        """Writes down what is known now: to the reader, in the log and in the database."""
        self.ledger.note_stream(self.reader.events)
        self.ledger.note(self.built.logged())
        self.ledger.note(self.built.stored())

    async def is_told_that_the_bus_is_away(self) -> None:
        """Every feed of the stream is down for that reason, told without an id; its process names it."""

        def told(reader: Reader) -> bool:
            words = [s for s in reader.named("status") if s["reason"] == "bus" and s["state"] == "down"]
            assert all(word["seq"] is None for word in words)
            return {word["ticker"] for word in words} == set(TICKERS)

        await self.reader.until(told)
        await comes_true(partial(self._names_the_bus, "api1"))

    async def is_away_everywhere(self) -> None:
        """Every process is not ready and names the bus, for as long as nobody stands in for it."""
        await asyncio.gather(*(comes_true(partial(self._names_the_bus, name)) for name in ALL))

    async def _names_the_bus(self, name: str) -> bool:
        async with self.built[name].client() as client:
            answer = await client.get("/ready")
        return answer.status_code == 503 and not answer.json()["parts"]["bus"]["ready"]

    async def is_told_of_the_reset(self) -> None:
        """The stream ends, comes back with its last id, is told `reset`, and everything goes on."""
        ended = await self.reader.until(lambda reader: reader.named("disconnected"), within_s=30)
        assert ended[-1]["reason"] == "drain"
        former = self.reader
        self.note()
        check_order(former)
        async with reading(self.built["api1"], self.token, tickers=ASKED, last_event_id=former.last_id) as again:
            self.reader = again
            assert again.named("connected")[0]["resume"] == "reset"
            await again.until(lambda reader: len(reader.named("snapshot")) == len(TICKERS))
            for ticker in TICKERS:
                await hears(again, ticker, *["tick"] * 10, since=0)
            # What was lost on the way is known once the writer has stored what came after it.
            for ticker in TICKERS:
                await self._check_untold(ticker, exact_first_ms(former, ticker))
                await self._check_outage(ticker, exact_first_ms(former, ticker))
            self.note()
            check_order(again)
            for ticker in TICKERS:
                for reader in (former, again):
                    check_gaps(reader, ticker)
                    check_truth(reader, self.built.simulator, ticker)
            assert {epoch for epoch, _ in self.ledger.named} == {epoch_of(former), epoch_of(again)}
            assert epoch_of(former) != epoch_of(again)
            # The other process has found the new order as well, and goes on in it.
            async with reading(self.built["api2"], self.token, tickers=ASKED, last_event_id=again.last_id) as other:
                assert other.named("connected")[0]["resume"] == "complete"
                for ticker in TICKERS:
                    await hears(other, ticker, "tick", "tick", since=0)
        await self.built.check_alive(*ALL)

    async def _check_outage(self, ticker: str, first_ms: int) -> None:
        """What was heard while the bus was away was published by nobody: a gap says so."""
        _, gaps = await history_of(self.built["api1"], self.token, ticker, first_ms)
        assert "bus" in {gap["cause"] for gap in gaps}, f"{ticker}: {gaps}"

    async def _check_untold(self, ticker: str, first_ms: int) -> None:
        """Whatever the exchange has sent since then is stored, or lies in a gap that is, or comes to be."""
        last_ms = frames_of(self.built.simulator, ticker)[-1]["timestamp"]

        async def missing() -> list[Json]:
            rows, gaps = await history_of(self.built["api1"], self.token, ticker, first_ms)
            if not rows or rows[-1]["timestamp"] < last_ms:
                return [last_ms]
            at_ms: dict[int, list[Json]] = {}
            for row in rows:
                at_ms.setdefault(row["timestamp"], []).append(row)
            return [
                data["timestamp"]
                for data in frames_of(self.built.simulator, ticker)
                if first_ms <= data["timestamp"] < last_ms
                and not any(gap["from_ms"] <= data["timestamp"] < gap["to_ms"] for gap in gaps)
                and not any(says(row, event_of(data)) for row in at_ms.get(data["timestamp"], []))
            ]

        async def nothing_is() -> bool:
            return not await missing()

        try:
            await comes_true(nothing_is)
        except AssertionError:
            raise AssertionError(f"{ticker}: lost untold: {(await missing())[:5]}") from None


def epoch_of(reader: Reader) -> str:
    """The epoch of a stream's ids."""
    return reader.last_id.rpartition("-")[0]


def exact_first_ms(reader: Reader, ticker: str) -> int:
    """The exchange time of the first tick that a stream told of a ticker."""
    return next(int(tick["timestamp"]) for tick in reader.named("message") if tick["ticker"] == ticker)


async def history_of(gate: Gateway, token: str, ticker: str, start_ms: int) -> tuple[list[Json], list[Json]]:
    """What is stored since then, and the recorded gaps."""
    async with gate.client(token) as client:
        params = {"start": start_ms, "limit": 10_000}
        answer = await client.get(f"/api/v2/ticks/{ticker}", params=params)
        assert answer.status_code == 200, answer.text
        told = exact(answer.text)
    rows = [{name: value for name, value in row.items() if name not in {"source", "position"}} for row in told["data"]]
    return rows, told["gaps"]


@asynccontextmanager
async def voyage(
    folder: Path, postgres: PostgresServer, redis: RedisServer, redis_url: str = "", *, reads_replicas: bool = False
) -> AsyncIterator[Voyage]:
    """A deployment on this Redis, and a stream of everything that has begun to flow."""
    at = {
        "redis_url": redis_url or f"redis://127.0.0.1:{redis.port}/0",
        "redis_read_replicas": str(reads_replicas),
        "redis_replica_rest_s": "2",
    }
    async with deployment_on(redis, folder, postgres, *ALL, market=BUSY, **at) as built:
        await built.is_shared_by("ingest1", "ingest2")
        token, _ = await built["api1"].login()
        async with reading(built["api1"], token, tickers=ASKED) as reader:
            for ticker in TICKERS:
                await hears(reader, ticker, *["tick"] * 10, since=0)
            travelling = Voyage(built, token, reader)
            travelling.note()
            yield travelling


def boundaries(text: bytes) -> Iterator[int]:
    """Where commands of an append-only file end (Redis serialization protocol: arrays of bulk strings)."""
    at = 0
    while at < len(text):
        line_end = text.index(b"\r\n", at)
        count, at = int(text[at + 1 : line_end]), line_end + 2
        for _ in range(count):
            line_end = text.index(b"\r\n", at)
            at = line_end + 2 + int(text[at + 1 : line_end]) + 2
        yield at


def cut_back(folder: Path, share: float) -> int:
    """Takes the last commands off the append-only file. Returns how many entries of streams it has forgotten so."""
    [path] = [*folder.glob("appendonlydir/*.incr.aof"), *folder.glob("appendonly.aof")]  # since 7.0, and before
    text = path.read_bytes()
    ends = list(boundaries(text))
    cut_at = ends[int(len(ends) * share)]
    path.write_bytes(text[:cut_at])
    return text[cut_at:].upper().count(b"\r\nXADD\r\n")


async def test_a_bus_that_is_gone_and_comes_back_empty(tmp_path: Path, postgres: PostgresServer) -> None:
    """Promise: streams are told that their feeds are down, then `reset`; nothing crashes, no position names two events,
    and whatever was lost on the way is a recorded gap.
    """
    with own_redis() as redis:
        async with voyage(tmp_path, postgres, redis) as sailing:
            await asyncio.to_thread(redis.stop)
            await sailing.is_told_that_the_bus_is_away()
            await sailing.is_away_everywhere()
            await asyncio.sleep(AWAY_S)  # sleep: an outage has a length; the exchange goes on meanwhile
            await asyncio.to_thread(redis.start)
            await sailing.is_told_of_the_reset()


async def test_a_bus_that_has_forgotten_its_last_words(tmp_path: Path, postgres: PostgresServer) -> None:
    """Promise: a Redis that was killed and comes back with an earlier state is another order, though its data look
    whole: what it would count again counts from a new epoch.
    """
    with own_redis("--appendonly", "yes", "--appendfsync", "always") as redis:
        async with voyage(tmp_path, postgres, redis) as sailing:
            await asyncio.to_thread(redis.stop, signal.SIGKILL)
            await sailing.is_told_that_the_bus_is_away()
            await sailing.is_away_everywhere()
            assert cut_back(redis.folder, 0.6) > len(TICKERS)
            await asyncio.to_thread(redis.start)
            await sailing.is_told_of_the_reset()


@pytest.mark.parametrize("fate", ["killed", "stopped"])
async def test_a_failover_to_a_copy_that_was_cut_off(tmp_path: Path, postgres: PostgresServer, fate: str) -> None:
    """Promise: who is promoted without the last words of the one before begins a new epoch, also when the one before
    wakes up again and still takes itself for the first.
    """
    with ExitStack() as stack:
        primary, replica = stack.enter_context(own_redis()), stack.enter_context(own_redis())
        async with black_hole(primary.port) as link:
            with replica.client() as client:
                client.execute_command("REPLICAOF", "127.0.0.1", str(link.port))
            await asyncio.to_thread(until, lambda: _is_in_step(replica), "the replica did not follow")
            sentinel = RedisSentinel(tmp_path, primary.port)
            stack.callback(sentinel.stop)
            await asyncio.to_thread(sentinel.start)
            with sentinel.client() as client:
                client.execute_command("SENTINEL", "SET", "main", "down-after-milliseconds", str(DOWN_AFTER_MS))
            # Subscribers read at the replica; once nothing reaches it, at the primary.
            async with voyage(tmp_path, postgres, primary, redis_url=sentinel.url, reads_replicas=True) as sailing:
                await asyncio.to_thread(until, lambda: _is_read_at(replica), "nobody reads at the replica")
                link.hold()
                since = len(sailing.reader.events)
                for ticker in TICKERS:
                    await hears(sailing.reader, ticker, *["tick"] * 10, since=since)
                sailing.note()
                if fate == "killed":
                    await asyncio.to_thread(primary.stop, signal.SIGKILL)
                else:
                    primary.send(signal.SIGSTOP)
                await sailing.is_told_that_the_bus_is_away()
                await asyncio.to_thread(until, lambda: _is_primary(replica), "nobody was promoted")
                sailing.built.redis = replica
                if fate == "stopped":
                    primary.send(signal.SIGCONT)
                await sailing.is_told_of_the_reset()


def _is_in_step(replica: RedisServer) -> bool:
    with replica.client() as client:
        return bool(client.info("replication").get("master_link_status") == "up")


def _is_read_at(server: RedisServer) -> bool:
    """Whether a follower waits there for what is published."""
    with server.client() as client:
        return any(connection["cmd"] == "xread" for connection in client.client_list())


def _is_primary(server: RedisServer) -> bool:
    with server.client() as client:
        return bool(client.info("replication")["role"] == "master")
