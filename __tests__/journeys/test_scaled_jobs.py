"""Jobs by Celery: a real worker and real beats, as processes, on a real Redis and a real PostgreSQL."""

import asyncio
import re
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from __tests__.backplane.redis_server import free_port
from __tests__.journeys import blocked_worker
from __tests__.journeys.black_hole import black_hole
from __tests__.journeys.gateway import Json
from __tests__.journeys.monitor import monitor
from __tests__.journeys.scaled import PREFIX, SEAL_SECRET, Deployment, deployment, deployment_on, own_redis
from __tests__.journeys.witness import BUSY, comes_true
from __tests__.journeys.working import JOBS_AWAY_S, OFTEN, PERIOD_S, collected, has_run, helping, runs
from __tests__.postgres_server import PostgresServer
from cryptomarket.schedule import SHORTEST_EXPIRY_S
from cryptomarket.simulator.faults import Fault

ROLES = ("api1", "ingest1", "write1")
PERIOD_MS = 1000 * PERIOD_S
NO_CREDITS = 10028
DOCUMENT = Path(__file__).parents[2] / "docs" / "redis.md"


async def started(built: Deployment, token: str, job: str, **arguments: Json) -> str:
    """Starts a job by hand; its id."""
    async with built["api1"].client(token) as client:
        answer = await client.post(f"/workers/tasks/{job}", json=arguments)
        assert answer.status_code == 202, answer.text
        assert answer.json()["status_url"] == f"/workers/tasks/{answer.json()['task_id']}"
        return str(answer.json()["task_id"])


async def ended(built: Deployment, token: str, task_id: str) -> Json:
    """What has become of a run, once it has ended."""
    told: Json = {}

    async def is_over() -> bool:
        nonlocal told
        async with built["api1"].client(token) as client:
            told = (await client.get(f"/workers/tasks/{task_id}")).json()
        return told["finished"] is not None

    await comes_true(is_over, within_s=40)
    return told


@asynccontextmanager
async def flower(built: Deployment) -> AsyncIterator[httpx.AsyncClient]:
    """Flower over the deployment's queues, once it hears the worker; asked by who has its password."""
    port = str(free_port())
    client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", auth=("me", "a word"), timeout=10)

    async def hears() -> bool:
        try:
            told = await client.get("/workers", params={"json": "1"})
            return bool(told.status_code == 200 and told.json()["data"])
        except httpx.TransportError:
            return False

    async with client, helping(built, "flower", FLOWER_BASIC_AUTH="me:a word", FLOWER_PORT=port):
        await comes_true(hears, within_s=40)
        yield client


def check_rows(built: Deployment) -> None:
    """One row of both tickers for each period that was run."""
    slots = [run["scheduled_ms"] for run in runs(built, "collect_index_prices") if run["state"] == "succeeded"]
    counted = Counter(row["ticker"] for row in collected(built))
    assert counted["btc_usd"] == counted["eth_usd"]
    assert counted["btc_usd"] >= len(slots)
    marks = built.postgres.sql("SELECT count(*) FROM crypto.collected", built.database)
    assert int(marks) == sum(counted.values()), "a row without its period, or the other way round"


def check_keys(built: Deployment) -> None:
    """Everything in Redis is below the exchange's prefix; docs/redis.md names what is Celery's and redbeat's."""
    named = re.findall(r"`((?:celery|beat):[^`]+)`", DOCUMENT.read_text())
    patterns = [re.sub("<[a-z]+>", ".+", name) for name in named]
    with built.redis_client() as client:
        for key in client.keys("*"):
            assert key.startswith(PREFIX.encode()), key
            name = key.decode().removeprefix(PREFIX)
            if name.startswith(("celery:", "beat:")):
                assert any(re.fullmatch(pattern, name) for pattern in patterns), f"docs/redis.md does not name {name}"


async def test_each_period_is_run_once_and_exactly(tmp_path: Path, postgres: PostgresServer) -> None:
    """Promise: with two beats, each period has one run, and a row of both tickers as the exchange told it, to the
    digit, at the time of its answer; operators see the runs, and start others; no secret is in Redis or a log.
    """
    with own_redis() as redis, monitor(redis.port) as heard:
        async with deployment_on(redis, tmp_path, postgres, *ROLES, market=BUSY, **OFTEN) as built:
            token = await built["api1"].operator()
            user_token, _ = await built["api1"].login()
            async with helping(built, "worker") as worker, helping(built, "beat") as first:
                async with helping(built, "beat", name="beat2") as second:
                    await has_run(built, "collect_index_prices", count=4)
                    task_id = await started(built, token, "check_health")
                    health = await ended(built, token, task_id)
                    assert (health["state"], health["cause"], health["name"]) == ("succeeded", "hand", "check_health")
                    assert set(health["result"]["parts"]) == {"exchange", "bus", "database", "writer"}
                    assert health["result"]["ready"] is True
                    # The other one has stood by, whichever of them has spoken.
                    before = len(runs(built, "collect_index_prices"))
                    await first.end(signal.SIGKILL)
                    await has_run(built, "collect_index_prices", count=before + 2)
                    said = [worker.said(), first.said(), second.said()]
                async with built["api1"].client(token) as client:
                    listed = (await client.get("/workers/tasks", params={"name": "collect_index_prices"})).json()
                    assert {task["state"] for task in listed["tasks"]} <= {"succeeded", "running"}
                    assert {job["name"] for job in listed["jobs"]} >= {"collect_index_prices", "flush_persons"}
                    assert (await client.post("/workers/tasks/collect_everything")).status_code == 404
                    assert (await client.get("/workers/tasks/no-such-run")).status_code == 404
                    refused = await client.post("/workers/tasks/remove_old_ticks", json={"days": 0})
                    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "days")
                    assert (await client.post("/workers/tasks/check_health", json={"days": 1})).status_code == 422
                async with built["api1"].client(user_token) as client:
                    assert (await client.post("/workers/tasks/check_health")).status_code == 403
            check_keys(built)
            found = runs(built, "collect_index_prices")
            assert max(Counter(run["scheduled_ms"] for run in found).values()) == 1
            assert {run["scheduled_ms"] % PERIOD_MS for run in found} == {0}
            assert {run["attempts"] for run in found} == {1}
            check_rows(built)
            told = bytes(heard.text)
            for row in collected(built):
                assert f'index_price\\":{row["price"]}'.encode() in told, "not what the exchange has said"
                assert any(abs(row["timestamp_ms"] - run["scheduled_ms"]) < 3 * PERIOD_MS for run in found)
            secrets = [SEAL_SECRET, token, user_token, "demo-1-secret", str(built.settings["token_key"])]
            for secret in secrets:
                assert secret.encode() not in told
                assert not any(secret in text for text in said)


async def test_a_run_whose_worker_is_killed_is_run_again(tmp_path: Path, postgres: PostgresServer) -> None:
    """Promise: `kill -9` of a worker in mid-task: another one runs the task again, though it would by now be too late
    to begin it, and no row is there twice.
    """
    late = {**OFTEN, "collect_index_prices_s": str(SHORTEST_EXPIRY_S)}
    async with deployment(tmp_path, postgres, *ROLES, market=BUSY, **late) as built:
        token = await built["api1"].operator()
        built.simulator.add_faults(Fault(kind="mute", methods=("public/get_index_price",)))
        async with helping(built, "worker", request_timeout_s="20") as worker:
            task_id = await started(built, token, "collect_index_prices")
            await has_run(built, "collect_index_prices", "running")
            await worker.end(signal.SIGKILL)
            built.simulator.clear_faults()
        assert (await ended(built, token, task_id))["state"] == "timed_out"
        async with helping(built, "worker", name="worker2"):
            await has_run(built, "collect_index_prices", "succeeded")
            again = await ended(built, token, task_id)
        assert (again["state"], again["attempts"]) == ("succeeded", 2)
        assert Counter(row["ticker"] for row in collected(built)) == {"btc_usd": 1, "eth_usd": 1}


async def test_failures_end_and_are_told(tmp_path: Path, postgres: PostgresServer) -> None:
    """Promise: a task that the exchange always refuses ends after its retries, with its error; one that takes too long
    is ended and says so, even one that never lets its worker's loop go on, after which the next one is run; one that is
    running and must not run twice is refused a second time, with 409. Flower shows the same tasks.
    """
    settings = {**OFTEN, "collect_index_prices_s": "0", "job_limit_s": "3", "request_timeout_s": "20"}
    async with deployment(tmp_path, postgres, *ROLES, market=BUSY, **settings) as built:
        token = await built["api1"].operator()
        async with helping(built, "worker", module=blocked_worker.__name__) as worker, flower(built) as shown:
            blocked = await ended(built, token, await started(built, token, blocked_worker.JOB))
            assert (blocked["state"], blocked["attempts"]) == ("timed_out", 1)
            assert "_block" in next(line for line in worker.said().splitlines() if "blocks the event loop" in line)
            built.simulator.add_faults(Fault(kind="mute", methods=("public/get_index_price",)))
            slow = await started(built, token, "collect_tickers", tickers=["btc_usd"])
            async with built["api1"].client(token) as client:
                assert (await client.post("/workers/tasks/collect_tickers")).status_code == 409
            told = await ended(built, token, slow)
            assert told["state"] == "timed_out"
            assert "3 s" in told["error"]
            built.simulator.clear_faults()
            built.simulator.add_faults(Fault(kind="refuse", methods=("public/get_index_price",), code=NO_CREDITS))
            poison = await started(built, token, "collect_index_prices")
            told = await ended(built, token, poison)
            assert (told["state"], told["attempts"]) == ("failed", 4)
            assert str(NO_CREDITS) in told["error"]
            built.simulator.clear_faults()
            well = await ended(built, token, await started(built, token, "collect_index_prices", tickers=["btc_usd"]))
            assert well["state"] == "succeeded"
            assert list(well["result"]["stored"]) == ["btc_usd"]
            one = await started(built, token, "collect_tickers", tickers=["BTC-PERPETUAL"])
            assert (await ended(built, token, one))["state"] == "succeeded"

            async def are_shown() -> bool:
                told = (await shown.get("/api/tasks")).json()
                states = [told.get(id_, {}).get("state") for id_ in (slow, poison, one)]
                return states == ["FAILURE", "FAILURE", "SUCCESS"]

            await comes_true(are_shown)
        assert [row["ticker"] for row in collected(built)] == ["btc_usd", "BTC-PERPETUAL"]


async def test_a_worker_outlives_a_redis_that_says_nothing(tmp_path: Path, postgres: PostgresServer) -> None:
    """Promise: what a worker and a beat send is swallowed for a while, and no connection is closed: when it arrives
    again, they go on, and each period still has one run.
    """
    with own_redis() as redis:
        async with (
            deployment_on(redis, tmp_path, postgres, *ROLES, market=BUSY, **OFTEN) as built,
            black_hole(redis.port) as way,
        ):
            through = {"redis_url": f"redis://127.0.0.1:{way.port}/0"}
            async with helping(built, "worker", **through) as worker, helping(built, "beat", **through) as beat:
                await has_run(built, "collect_index_prices", count=2)
                way.hold()
                await asyncio.sleep(JOBS_AWAY_S)  # sleep: nobody tells how long a network is away
                way.release()
                before = sum(run["state"] == "succeeded" for run in runs(built, "collect_index_prices"))
                await has_run(built, "collect_index_prices", count=before + 3, within_s=60)
                assert worker.process.returncode is None
                assert beat.process.returncode is None
            found = runs(built, "collect_index_prices")
            assert max(Counter(run["scheduled_ms"] for run in found).values()) == 1
            check_rows(built)
