"""What docs/deployment.md says of updates, and of backup and restore, done to a deployment of real processes."""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from __tests__.backplane.redis_server import free_port
from __tests__.journeys.front import Front, in_front_of
from __tests__.journeys.gateway import Reader, exact, reading
from __tests__.journeys.scaled import TICKERS, Deployment, deployment
from __tests__.journeys.witness import Scene, check_everything, comes_true, hears, of
from __tests__.postgres_server import SUPERUSER, PostgresServer, programs

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "deployment.md").read_text()
PROCESS = {"writer": "write1", "ingest": "ingest1", "api": "api1"}
OF_JOBS = ["worker", "beat"]
ASKED = ",".join(TICKERS)
FEW = ["tick"] * 3

# The commands of the page, without the containers around them: what is stopped and started is processes of the test.
UNBOXED = """
docker() { shift; case "$1" in exec) shift 3; "$@" ;; stop|up) ;; *) return 1 ;; esac; }
redis-cli() { command redis-cli -p "$REDIS_PORT" "$@"; }
"""


def commands(beginning: str) -> str:
    """The commands of the page's paragraph that begins so."""
    [found] = [part for part in re.split(r"\n\s*\n", PAGE) if part.startswith(f"    {beginning}")]
    return "\n".join(line.strip() for line in found.splitlines())


async def run(script: str, built: Deployment, folder: Path) -> None:
    """Runs commands of the page on the servers of a deployment."""
    script = script.replace("cryptomarket_production_production", built.database)
    script = script.replace("--username cryptomarket", f"--username {SUPERUSER}")
    environment = {
        "PATH": f"{programs()}:{os.environ['PATH']}",
        "PGHOST": str(built.postgres.folder),
        "PGPORT": str(built.postgres.port),
        "REDIS_PORT": str(built.redis.port),
    }
    shell = await asyncio.create_subprocess_exec(
        *("bash", "-euc", UNBOXED + script),
        cwd=folder,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(30):
        said, _ = await shell.communicate()
    assert shell.returncode == 0, said.decode()


async def ticking(reader: Reader) -> None:
    """Waits until ticks of everything come."""
    since = len(reader.events)
    for ticker in TICKERS:
        await hears(reader, ticker, *FEW, since=since)


@asynccontextmanager
async def behind_nginx(folder: Path, postgres: PostgresServer) -> AsyncIterator[tuple[Deployment, Front, str]]:
    """One process of each role, nginx before the one that serves readers, and its port, which stays."""
    async with deployment(folder, postgres, "ingest1", "write1") as built:
        port = str(free_port())
        await built.start("api1", app_port=port)
        async with in_front_of(built["api1"]) as front:
            yield built, front, port


async def test_an_update_loses_neither_data_nor_streams(tmp_path: Path, postgres: PostgresServer) -> None:
    """Promise: with the processes exchanged one by one, in the page's order, a reader goes on where he was; what nobody
    heard is a gap that he was told, and all the rest is stored.
    """
    *others, last = re.findall(r"--no-deps (\w+)$", PAGE, re.MULTILINE)
    assert (others, last) == (["writer", "ingest", *OF_JOBS], "api")
    async with behind_nginx(tmp_path, postgres) as (built, front, port):
        token, _ = await front.plain.login()
        async with reading(front.plain, token, tickers=ASKED) as reader:
            await ticking(reader)
            for name in others[: -len(OF_JOBS)]:
                assert await built[PROCESS[name]].stop() == 0
                await built.start(PROCESS[name])
                await ticking(reader)
            assert of(reader, "btc_usd", "gap")
            assert await built["api1"].stop() == 0
            ended = await reader.until(lambda told: told.named("disconnected"))
            assert ended[0]["reason"] == "shutdown"
        async with front.plain.client(token) as client:
            meanwhile = await client.get("/api/v2/me")
        assert meanwhile.status_code == 503
        assert meanwhile.headers["Retry-After"]
        await built.start("api1", app_port=port)
        async with reading(front.plain, token, tickers=ASKED, last_event_id=reader.last_id) as again:
            assert again.named("connected")[0]["resume"] == "complete"
            assert again.named("snapshot") == []
            await ticking(again)
            whole = Reader()
            whole.events = [*reader.events, *again.events]
            await check_everything(whole, Scene(built.simulator, front.plain), token, TICKERS)
        await built.check_alive(*PROCESS.values())


async def test_a_backup_is_what_comes_back(tmp_path: Path, postgres: PostgresServer) -> None:
    """Promise: the page's commands bring back the moment of the backup, row for row; what came after it is told as
    lost, by a gap in the history and by `reset` to who comes back.
    """
    async with behind_nginx(tmp_path, postgres) as (built, front, port):
        token, _ = await front.plain.login()
        async with reading(front.plain, token, tickers="btc_usd,BTC-PERPETUAL") as reader:
            await ticking_of_two(reader)
            await run(commands("docker compose exec -T postgres pg_dump"), built, tmp_path)
            await ticking_of_two(reader)
        for name in reversed(PROCESS.values()):
            assert await built[name].stop() == 0
        before = await asyncio.to_thread(built.stored)
        await run(commands("docker compose stop"), built, tmp_path)
        after = await asyncio.to_thread(built.stored)
        assert after.items() < before.items()
        lost = before.keys() - after.keys()
        assert len(after) > len(TICKERS)
        assert min(seq for _, seq in lost) >= max(seq for _, seq in after)

        await built.start("write1", "ingest1")
        await built.start("api1", app_port=port)
        async with reading(front.plain, token, tickers="btc_usd", last_event_id=reader.last_id) as again:
            assert again.named("connected")[0]["resume"] == "reset"
            await hears(again, "btc_usd", *FEW, since=0)
        newest_ms = reader.named("message")[-1]["timestamp"]
        told = [tick["timestamp"] for tick in of(reader, "btc_usd", "message")]

        async def gap_is_told() -> bool:
            async with front.plain.client(token) as client:
                answer = await client.get("/api/v2/ticks/btc_usd", params={"start": told[0], "limit": 10_000})
            page = exact(answer.text)
            assert answer.status_code == 200, answer.text
            return not page["complete"] and any(
                gap["from_ms"] < newest_ms <= gap["to_ms"] and gap["cause"] == "restart" for gap in page["gaps"]
            )

        await comes_true(gap_is_told)
        await built.check_alive(*PROCESS.values())


async def ticking_of_two(reader: Reader) -> None:
    """Waits until ticks of both come."""
    since = len(reader.events)
    for ticker in ("btc_usd", "BTC-PERPETUAL"):
        await hears(reader, ticker, *FEW, since=since)
