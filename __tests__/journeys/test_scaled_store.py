"""Writers and databases that die under a deployment of real processes: afterwards what was published is stored."""

import asyncio
import re
import signal
from pathlib import Path

from __tests__.journeys.gateway import reading
from __tests__.journeys.scaled import ALL, AWAY_S, TICKERS, Deployment, deployment, in_front, ready
from __tests__.journeys.test_starts import refusal
from __tests__.journeys.witness import check_everything, comes_true, hears
from __tests__.postgres_server import PostgresServer
from cryptomarket.db import Database
from cryptomarket.history.writer import GROUP

DEATHS = 2


def in_hand(built: Deployment) -> int:
    """How many publications a writer has taken and not acknowledged."""
    with built.redis_client() as client:
        key = f"cryptomarket:simulator:log:{built.epoch()}"
        if not any(group["name"] == GROUP.encode() for group in client.xinfo_groups(key)):
            return 0
        return int(client.xpending(key, GROUP)["pending"])


async def goes_on(built: Deployment, count: int = 40) -> None:
    """Waits until so much more was published."""
    head = built.head()
    await comes_true(lambda: built.head() >= head + count, within_s=30)


async def test_a_writer_that_is_killed_in_the_midst_of_a_batch_costs_nothing(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    """Promise: at least once in, exactly once stored: wherever a writer dies, another one stores what it had taken,
    and the database equals what was published, to the row.
    """
    async with deployment(tmp_path, postgres, "ingest1", "write1", "write2", writer_flush_ms="250") as built:
        for death in range(DEATHS):
            await goes_on(built)
            name = f"write{1 + death % 2}"
            await comes_true(lambda: in_hand(built) > 0)
            await built[name].kill()
            await built.start(name)
        # The last ones die while the database has their rows in its hands.
        blocker = await asyncio.create_subprocess_exec(
            *postgres.psql(built.database), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL
        )
        assert blocker.stdin is not None
        blocker.stdin.write(b"BEGIN; LOCK TABLE crypto.price_tickers IN ACCESS EXCLUSIVE MODE;\n")
        await comes_true(lambda: _is_blocked(postgres, built))
        await asyncio.gather(built["write1"].kill(), built["write2"].kill())
        blocker.stdin.write(b"COMMIT;\n")
        blocker.stdin.close()
        await blocker.wait()
        assert in_hand(built) > 0
        await built.start("write1", "write2")
        await goes_on(built)
        await built["ingest1"].stop()
        await built.check_stored()
        assert len(built.stored()) > DEATHS * 40
        await built.check_alive("write1", "write2")


def _is_blocked(postgres: PostgresServer, built: Deployment) -> bool:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    return postgres.sql(waiting, built.database) != "0"


async def test_a_database_that_is_killed_is_made_up_for(tmp_path: Path, postgres: PostgresServer) -> None:
    """Promise: while the database is away streams go on as if nothing were; afterwards the database equals what was
    published, to the row, and no process has ended.
    """
    async with deployment(tmp_path, postgres, *ALL) as built, in_front(built, "api1", "api2") as front:
        await built.is_shared_by("ingest1", "ingest2")
        token, _ = await front.login()
        async with reading(front, token, tickers=",".join(TICKERS)) as reader:
            await hears(reader, "btc_usd", *["tick"] * 5, since=0)
            await asyncio.to_thread(postgres.stop, signal.SIGKILL)
            try:
                since = len(reader.events)
                await asyncio.sleep(AWAY_S)  # sleep: an outage has a length; everything else goes on meanwhile
                for ticker in TICKERS:
                    await hears(reader, ticker, *["tick"] * round(5 * AWAY_S), since=since)
                assert not [event for event in reader.events[since:] if event.event in {"status", "gap"}]
            finally:
                await asyncio.to_thread(postgres.start)
            await asyncio.gather(*(ready(built[name]) for name in ALL))
            await check_everything(reader, built.scene("api1"), token, TICKERS)
            await asyncio.gather(built["ingest1"].stop(), built["ingest2"].stop())
            await built.check_stored()
        await built.check_alive("api1", "api2", "write1")


async def test_a_deployments_database_is_its_own(tmp_path: Path, postgres: PostgresServer, sqlite_url: str) -> None:
    """Promise: beside one process of a deployment others of it may come; a whole gateway, or a copy of a trial, is
    refused with a sentence, and changes nothing.
    """
    trial = Database(sqlite_url)
    await trial.claim("simulator")
    await trial.close()
    async with deployment(tmp_path, postgres, "write1") as built:
        # What the writer itself makes when it has begun, the places of the months, is there first.
        months = "SELECT count(*) FROM pg_tables WHERE tablename ~ '^price_tickers_[0-9]{4}_[0-9]{2}$'"
        await comes_true(lambda: postgres.sql(months, built.database) != "0")
        before = postgres.dump(built.database)
        said = re.escape(f"Another gateway runs on the database '{built.database}'; ") + ".*"
        folder = tmp_path / "other"
        folder.mkdir()
        copying = ("copy-database", "--from", sqlite_url, "--to", postgres.url(built.database))
        for command in (copying, ("serve",)):
            told = await refusal(folder, *command, **{**built.settings, "redis_url": ""})
            assert re.fullmatch(said, told), told
        assert postgres.dump(built.database) == before
        await built.start("write2")
        await built.check_alive("write1", "write2")
