"""Jobs by Celery: a real worker and real beats, as processes, on a real Redis and a real PostgreSQL."""

import asyncio
import base64
import itertools
import os
import re
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from __tests__.backplane.redis_server import free_port
from __tests__.journeys import blocked_worker, faked_beat, quiet_worker
from __tests__.journeys.black_hole import black_hole
from __tests__.journeys.commands import command
from __tests__.journeys.gateway import Json, exact
from __tests__.journeys.monitor import Monitor, monitor
from __tests__.journeys.periods import check_periods, check_rows, replies
from __tests__.journeys.places import database_place, flower_places, found, log_places, redis_place
from __tests__.journeys.scaled import PREFIX, Deployment, deployment, deployment_on, own_redis
from __tests__.journeys.test_scaled_workers import children_of
from __tests__.journeys.witness import BUSY, comes_true
from __tests__.journeys.working import (
    JOBS_AWAY_S,
    LOOK_S,
    OFTEN,
    PERIOD_S,
    collected,
    faked_clock,
    has_run,
    helping,
    runs,
)
from __tests__.postgres_server import PASSWORD, PostgresServer
from cryptomarket.broker import LOOK_S as BEAT_LOOK_S
from cryptomarket.schedule import SHORTEST_EXPIRY_S
from cryptomarket.simulator.faults import Fault

ROLES = ("api1", "ingest1", "write1")
NO_CREDITS = 10028
AUTH = "public/auth"
REDIS_PASSWORD = "redis-password-of-tests"
FLOWER_PASSWORD = "flower-password-of-tests"
SUCCEEDED = ["succeeded", "hand", "check_health"]
UNACKNOWLEDGED = "could not be acknowledged; connecting anew"
PLANTED = "a-word-that-was-laid-into-every-place"
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
        await asyncio.sleep(LOOK_S)  # sleep: between two looks, each of which costs who is looked at
        async with built["api1"].client(token) as client:
            told = (await client.get(f"/workers/tasks/{task_id}")).json()
        return told["finished"] is not None

    await comes_true(is_over, within_s=40)
    return told


@asynccontextmanager
async def flower(built: Deployment) -> AsyncIterator[httpx.AsyncClient]:
    """Flower over the deployment's queues, once it hears the worker; asked by who has its password."""
    port = str(free_port())
    client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", auth=("me", FLOWER_PASSWORD), timeout=10)

    async def hears() -> bool:
        try:
            told = await client.get("/workers", params={"json": "1"})
            return bool(told.status_code == 200 and told.json()["data"])
        except httpx.TransportError:
            return False

    async with client, helping(built, "flower", FLOWER_BASIC_AUTH=f"me:{FLOWER_PASSWORD}", FLOWER_PORT=port):
        await comes_true(hears, within_s=40)
        yield client


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


def secrets_of(built: Deployment, **own: str) -> dict[str, str]:
    """Every secret that somebody has, by name."""
    known = {name: built.settings[name] for name in ("seal_secret", "token_key", "deribit_client_secret")}
    passwords = {"database": PASSWORD, "redis": REDIS_PASSWORD, "flower": FLOWER_PASSWORD, "client": "demo-3-secret"}
    grants = [exact(answer.frame.decode())["result"] for answer in built.simulator.exchange.journal.answered(AUTH)]
    pairs = itertools.product(enumerate(grants), ("access_token", "refresh_token"))
    of_exchange = {f"{name} {at}": grant[name] for (at, grant), name in pairs}
    assert of_exchange
    return {**known, **passwords, **of_exchange, **own}


async def told_apart(built: Deployment, heard: Monitor, shown: httpx.AsyncClient, secrets: Mapping[str, str]) -> None:
    """Looks for secrets in every place there is, and for a word that was laid into each of them: of all these, only
    that one is found, and it is found everywhere.
    """
    for path in built.folder.glob("*/*.log"):
        with path.open("a") as log:
            log.write(f"{PLANTED}\n")
    with built.redis_client() as client:
        client.set(f"{PREFIX}planted", base64.b64encode(PLANTED.encode()))
    places = [redis_place(built), ("monitor", bytes(heard.text)), database_place(built), *log_places(built)]
    places += await flower_places(shown)
    names = {name for name, _ in places}
    assert names == {"redis", "monitor", "job_runs", "flower's pages", *ROLES, "worker", "beat", "beat2", "flower"}
    assert found(places, {**secrets, "planted": PLANTED}) == {("planted", name) for name in names}


async def check_midnight(built: Deployment, clock: Path, user_id: str) -> None:
    """Sets the clocks of worker and beat forward to midnight UTC: who was here is in the database once, as he was last
    known, by one run.
    """
    # Who logs in first is stored at once: only what is known of him since is the job's to write.
    person = f"crypto.person WHERE user_id = '{user_id}'"
    built.postgres.sql(
        f"UPDATE crypto.person SET email = 'before@example.com' WHERE user_id = '{user_id}'", built.database
    )
    assert runs(built, "flush_persons") == []
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    await asyncio.to_thread(clock.write_text, f"+{(midnight - datetime.now(UTC)).total_seconds() - 1:.0f}s")
    await has_run(built, "flush_persons")
    (run,) = runs(built, "flush_persons")
    assert (run["scheduled_ms"], run["attempts"]) == (round(midnight.timestamp() * 1000), 1)
    assert exact(run["result"]) == {"persons": 1}
    assert built.postgres.sql(f"SELECT email FROM {person}", built.database).split() == ["demo-3@example.com"]
    assert built.postgres.sql("SELECT count(*) FROM crypto.person", built.database).split() == ["1"]


async def traded(built: Deployment, **grant: str) -> str:
    """A token for it."""
    async with built["api1"].client() as client:
        answer = await client.post("/api/v2/auth/token", data=grant)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


async def check_doors(built: Deployment, token: str, user_token: str) -> None:
    """Operators see the runs and the schedule; what can't be is refused, and so is who is no operator."""
    async with built["api1"].client(token) as client:
        listed = (await client.get("/workers/tasks", params={"name": "collect_index_prices"})).json()
        assert {task["state"] for task in listed["tasks"]} <= {"succeeded", "running"}
        assert {job["name"] for job in listed["jobs"]} >= {"collect_index_prices", "flush_persons"}
        assert (await client.post("/workers/tasks/collect_everything")).status_code == 404
        assert (await client.get("/workers/tasks/no-such-run")).status_code == 404
        refused = await client.post("/workers/tasks/remove_old_ticks", json={"days": 0})
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "days")
        assert (await client.post("/workers/tasks/check_health", json={"days": 1})).status_code == 422
        refused = await client.post("/workers/tasks/check_candles", json={"start": 2, "end": 1})
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "start")
    async with built["api1"].client(user_token) as client:
        assert (await client.post("/workers/tasks/check_health")).status_code == 403


async def check_shown(built: Deployment, shown: httpx.AsyncClient, failed: str, *well: str) -> None:
    """Flower shows the same tasks as the API, with what became of them."""
    wanted = {failed: "FAILURE", **dict.fromkeys(well, "SUCCESS")}
    wanted |= {run["id"]: "SUCCESS" for run in runs(built, "collect_index_prices") if run["state"] == "succeeded"}

    async def are_shown() -> bool:
        told = (await shown.get("/api/tasks", params={"limit": "1000"})).json()
        return wanted.items() <= {id_: task["state"] for id_, task in told.items()}.items()

    await comes_true(are_shown)


async def test_each_period_is_run_once_and_exactly(tmp_path: Path, postgres: PostgresServer) -> None:
    """Promise: with two beats, each period of each job has one run, none is left out, and for each a row of both
    tickers is there as the exchange told it, to the digit, at the time of its answer; the beat that speaks is killed,
    and the other takes over within BEAT_DEAD_S and a look; operators see the runs, and start others; Flower shows the
    same; at midnight persons are written down once; no secret is in a task, a result, a log, Redis or Flower.
    """
    clock = tmp_path / "clock"
    clock.write_text("+0")
    faked = faked_clock(clock)
    often = {**OFTEN, "check_health_s": str(PERIOD_S), "flush_persons_s": "86400"}
    # What a worker does first is limited, too, and it loads the gateway's parts meanwhile.
    often |= {"job_limit_s": "10", "job_dead_s": "20"}
    given = {**often, "deribit_client_id": "demo-7", "deribit_client_secret": "demo-7-secret"}
    with own_redis("--user", "somebody", "on", f">{REDIS_PASSWORD}", "~*", "&*", "+@all") as redis:
        given["redis_url"] = f"redis://somebody:{REDIS_PASSWORD}@127.0.0.1:{redis.port}/0"
        with monitor(redis.port) as heard:
            async with deployment_on(redis, tmp_path, postgres, *ROLES, market=BUSY, **given) as built:
                key = (await command(built["api1"], "keys", "create", "a test's")).strip()
                token = await traded(built, grant_type="api_key", api_key=key)
                user_token, user_id = await built["api1"].login(3)
                async with helping(built, "worker", **faked) as worker, helping(built, "beat") as first:
                    await comes_true(lambda: "Acquired lock" in first.said())
                    async with (
                        helping(built, "beat", name="beat2", module=faked_beat.__name__, **faked) as second,
                        flower(built) as shown,
                    ):
                        task_id = await started(built, token, "check_health")
                        failing = await started(built, token, "collect_tickers", tickers=[PLANTED])
                        health = await ended(built, token, task_id)
                        assert [health[name] for name in ("state", "cause", "name")] == SUCCEEDED
                        assert set(health["result"]["parts"]) == {"exchange", "bus", "database", "writer"}
                        assert health["result"]["ready"] is True
                        assert (await ended(built, token, failing))["state"] == "failed"
                        await has_run(built, "collect_index_prices", count=4)
                        assert "Acquired lock" not in second.said(), "two beats have spoken"
                        await first.end(signal.SIGKILL)
                        killed_ms = time.time_ns() // 1_000_000
                        before = len(runs(built, "collect_index_prices"))
                        await has_run(built, "collect_index_prices", count=before + 2)
                        await check_doors(built, token, user_token)
                        await check_shown(built, shown, failing, task_id)
                        away_ms = range(
                            killed_ms - round(1000 * BEAT_LOOK_S),
                            killed_ms + round(1000 * (float(OFTEN["beat_dead_s"]) + BEAT_LOOK_S)),
                        )
                        for job in ("collect_index_prices", "check_health"):
                            await check_periods(built, heard, worker, job, away_ms=away_ms)
                        check_keys(built)
                        await told_apart(
                            built, heard, shown, secrets_of(built, key=key, token=token, user_token=user_token)
                        )
                        await check_midnight(built, clock, user_id)
                check_rows(built)


async def test_a_run_whose_worker_is_killed_is_run_again(tmp_path: Path, postgres: PostgresServer) -> None:
    """Promise: `kill -9` of a task's process, one ticker stored and one not yet answered: the same worker runs the task
    again at once; then of the whole worker: another one does, though it would by now be too late to begin it; both rows
    of that time are there once, exactly, and what was stored is not asked for again.
    """
    late = {**OFTEN, "collect_index_prices_s": str(SHORTEST_EXPIRY_S)}
    async with deployment(tmp_path, postgres, *ROLES, market=BUSY, **late) as built:
        token = await built["api1"].operator()
        built.simulator.add_faults(Fault(kind="mute", methods=("public/get_index_price",), count=1))
        async with helping(built, "worker", request_timeout_s="20") as worker:
            task_id = await started(built, token, "collect_index_prices")
            (stored,) = await comes_true(lambda: collected(built), within_s=30)
            built.simulator.add_faults(Fault(kind="mute", methods=("public/get_index_price",), count=1))
            for child in children_of(worker.process.pid):
                os.kill(child, signal.SIGKILL)
            await comes_true(lambda: [run["attempts"] for run in runs(built, "collect_index_prices")] == [2])
            assert [run["state"] for run in runs(built, "collect_index_prices")] == ["running"]
            await worker.end(signal.SIGKILL)
        assert (await ended(built, token, task_id))["state"] == "timed_out"
        assert collected(built) == [stored]
        built.simulator.clear_faults()
        async with helping(built, "worker", name="worker2"):
            await has_run(built, "collect_index_prices", "succeeded")
            again = await ended(built, token, task_id)
        assert (again["state"], again["attempts"]) == ("succeeded", 3)
        rows = collected(built)
        assert Counter(row["ticker"] for row in rows) == {"btc_usd": 1, "eth_usd": 1}
        assert rows[0] == stored
        answered = replies(built)
        assert Counter(ticker for ticker, _ in answered) == {"btc_usd": 1, "eth_usd": 1}
        assert [[row["price"]] for row in rows] == [answered[row["ticker"], row["timestamp_ms"]] for row in rows]


async def test_failures_end_and_are_told(tmp_path: Path, postgres: PostgresServer) -> None:
    """Promise: a task that the exchange always refuses ends after its retries, with its error; one that takes too long
    is ended and says so, even one that never lets its worker's loop go on, after which the next one is run; one that is
    running and must not run twice is refused a second time, with 409. A process that has done its share is replaced.
    """
    settings = {**OFTEN, "collect_index_prices_s": "0", "job_limit_s": "2", "request_timeout_s": "20"}
    async with deployment(tmp_path, postgres, *ROLES, market=BUSY, **settings) as built:
        token = await built["api1"].operator()
        async with helping(built, "worker", module=blocked_worker.__name__) as worker:
            blocked = await ended(built, token, await started(built, token, blocked_worker.JOB))
            assert (blocked["state"], blocked["attempts"]) == ("timed_out", 1)
            assert "_block" in next(line for line in worker.said().splitlines() if "blocks the event loop" in line)
            built.simulator.add_faults(Fault(kind="mute", methods=("public/get_index_price",)))
            slow = await started(built, token, "collect_tickers", tickers=["btc_usd"])
            async with built["api1"].client(token) as client:
                assert (await client.post("/workers/tasks/collect_tickers")).status_code == 409
            told = await ended(built, token, slow)
            assert told["state"] == "timed_out"
            assert "2 s" in told["error"]
            first = children_of(worker.process.pid)
            built.simulator.clear_faults()
            built.simulator.add_faults(Fault(kind="refuse", methods=("public/get_index_price",), code=NO_CREDITS))
            poison = await started(built, token, "collect_index_prices")
            told = await ended(built, token, poison)
            assert (told["state"], told["attempts"]) == ("failed", 4)
            assert str(NO_CREDITS) in told["error"]
            built.simulator.clear_faults()
            assert first.isdisjoint(children_of(worker.process.pid)), "a process has done more tasks than it may"
            well = await ended(built, token, await started(built, token, "collect_index_prices", tickers=["btc_usd"]))
            assert well["state"] == "succeeded"
            assert list(well["result"]["stored"]) == ["btc_usd"]
            one = await started(built, token, "collect_tickers", tickers=["BTC-PERPETUAL"])
            assert (await ended(built, token, one))["state"] == "succeeded"
        assert [row["ticker"] for row in collected(built)] == ["btc_usd", "BTC-PERPETUAL"]


async def test_a_worker_outlives_a_redis_that_says_nothing(tmp_path: Path, postgres: PostgresServer) -> None:
    """Promise: what a worker and a beat send is swallowed for a while, and no connection is closed; a run is under way,
    whose end can't be told to Redis: the worker says so and connects anew; when all arrives again, both go on, and that
    run, like each, was begun once, but for those of whose failure the worker tells.
    """
    with own_redis() as redis:
        async with (
            deployment_on(redis, tmp_path, postgres, *ROLES, market=BUSY, **OFTEN) as built,
            black_hole(redis.port) as way,
        ):
            through = {"redis_url": f"redis://127.0.0.1:{way.port}/0"}
            patient = {**through, "request_timeout_s": "20"}
            async with (
                helping(built, "worker", module=quiet_worker.__name__, **patient) as worker,
                helping(built, "beat", **through) as beat,
            ):
                await has_run(built, "collect_index_prices")
                built.simulator.add_faults(Fault(kind="mute", methods=("public/get_index_price",)))
                await has_run(built, "collect_index_prices", "running")
                # Its question goes by Redis, too: one that never got out would fail sooner than it times out.
                await comes_true(lambda: any(known["applied"] for known in built.simulator.exchange.faults.report()))
                way.hold()
                away = asyncio.create_task(asyncio.sleep(JOBS_AWAY_S))  # sleep: nobody tells how long a network is away
                await has_run(built, "collect_index_prices", "timed_out")
                await comes_true(lambda: UNACKNOWLEDGED in worker.said(), within_s=20)
                await away
                built.simulator.clear_faults()
                way.release()
                before = sum(run["state"] == "succeeded" for run in runs(built, "collect_index_prices"))
                await has_run(built, "collect_index_prices", count=before + 2, within_s=60)
                assert worker.process.returncode is None
                assert beat.process.returncode is None
            # One that comes right behind the silence may have to be tried again, of which the worker tells.
            again = [line for line in worker.said().splitlines() if "a job is tried again" in line]
            for run in runs(built, "collect_index_prices"):
                assert run["attempts"] == 1 + sum(run["id"] in line for line in again)
            check_rows(built)
