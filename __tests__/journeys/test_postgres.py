"""A gateway that keeps everything in PostgreSQL: the same gateway, also while the server is gone."""

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from __tests__.journeys.gateway import Gateway, Json, exact, gateway, reading
from __tests__.journeys.pages import blocks_of
from __tests__.postgres_server import PASSWORD, SUPERUSER, PostgresServer

# How long the server is gone. The long form takes what the figures in docs/ are about.
AWAY_S = float(os.environ.get("AWAY_S", "4"))
TICKERS = "btc_usd,BTC-PERPETUAL"


@pytest.fixture
def name(postgres: PostgresServer) -> Iterator[str]:
    """A database that does not exist yet."""
    name = postgres.new_name()
    yield name
    postgres.drop(name)


def settings_of(postgres: PostgresServer, name: str) -> dict[str, str]:
    """Where the gateway finds its database."""
    return {
        "debug": "False",
        "postgres_port": str(postgres.port),
        "postgres_db": name,
        "postgres_user": SUPERUSER,
        "postgres_password": PASSWORD,
    }


@asynccontextmanager
async def absence(postgres: PostgresServer) -> AsyncIterator[None]:
    """The server dies without a word, and is back after a while."""
    await asyncio.to_thread(postgres.stop, signal.SIGKILL)
    try:
        yield
    finally:
        await asyncio.to_thread(postgres.start)


async def ready(gate: Gateway, *, within_s: float = 30) -> None:
    """Returns when every part of the gateway is ready."""
    async with asyncio.timeout(within_s), gate.client() as client:
        while True:
            answer = await client.get("/ready")
            if answer.status_code == 200:
                return
            await asyncio.sleep(0.1)  # sleep: readiness is told to who asks, and to nobody else


async def rows_of(gate: Gateway, token: str, ticker: str) -> list[Json]:
    """Every stored row of a ticker, by the pages of its history."""
    rows, query = [], {"limit": "1000"}
    async with gate.client(token) as client:
        while True:
            told = exact((await client.get(f"/api/v2/ticks/{ticker}", params=query)).text)
            rows += told["data"]
            if told["next_cursor"] is None:
                return rows
            query = {"limit": "1000", "cursor": told["next_cursor"]}


def event_of(row: Json) -> Json:
    """A row as it was streamed."""
    return {name: value for name, value in row.items() if name not in {"source", "position"}}


async def test_a_server_that_is_gone_for_a_while_costs_nothing(
    tmp_path: Path, postgres: PostgresServer, name: str
) -> None:
    """Promise: while PostgreSQL is dead streams go on and `/ready` names the database; nobody crashes; afterwards the
    database equals what was published, to the row and to the digit.
    """
    async with gateway(tmp_path, **settings_of(postgres, name)) as gate:
        token, _ = await gate.login()
        await ready(gate)
        async with reading(gate, token, tickers=TICKERS) as reader:
            await reader.until(lambda told: len(told.named("message")) > 3)
            async with absence(postgres), gate.client(token) as client:
                before = len(reader.named("message"))
                answer = await client.get("/ready")
                assert answer.status_code == 503
                assert answer.json()["parts"]["database"]["ready"] is False
                refused = await client.get("/api/v2/ticks/btc_usd")
                assert (refused.status_code, refused.headers["content-type"]) == (503, "application/problem+json")
                assert int(refused.headers["retry-after"]) > 0
                assert not re.search(r"127\.0\.0\.1|postgres|SELECT", refused.text)
                await asyncio.sleep(AWAY_S)  # sleep: it is the time for which the server is gone
                assert len(reader.named("message")) > before
                assert not reader.named("gap", "disconnected")
                assert gate.process is not None
                assert gate.process.returncode is None
            await ready(gate)
            after = len(reader.named("message"))
            await reader.until(lambda told: len(told.named("message")) > after + 3)
        heard = reader.named("message")
        # Stored after at most the writer's quarter of a second, and asked for until it is.
        async with asyncio.timeout(20):
            for ticker in TICKERS.split(","):
                told = {event["seq"]: event for event in heard if event["ticker"] == ticker}
                while True:
                    rows = [event_of(row) for row in await rows_of(gate, token, ticker)]
                    stored = {row["seq"]: row for row in rows}
                    assert len(stored) == len(rows)
                    if told.keys() <= stored.keys():
                        break
                    await asyncio.sleep(0.05)  # sleep: what was stored is told to who asks, and to nobody else
                between = range(min(told), max(told) + 1)
                assert {seq: row for seq, row in stored.items() if seq in between} == told
        assert await gate.stop() == 0


async def test_what_was_saved_is_found_after_a_restart(tmp_path: Path, postgres: PostgresServer, name: str) -> None:
    """Promise: the first start makes database, schema and tables; persons, sets and ticks outlive a `kill -9`."""
    settings = settings_of(postgres, name)
    async with gateway(tmp_path, **settings) as gate:
        assert f"Database postgresql://{SUPERUSER}:***@127.0.0.1:{postgres.port}/{name}" in gate.banner
        token, user_id = await gate.login()
        async with gate.client(token) as client:
            assert (await client.put("/api/v2/subscriptions/btc_usd")).status_code == 201
        await gate.kill()
        await gate.start()
        async with gate.client(token) as client:
            saved = (await client.get("/api/v2/subscriptions")).json()
        assert "btc_usd" in str(saved)
        assert (await gate.login())[1] == user_id
    tables = postgres.sql("SELECT string_agg(tablename, ' ') FROM pg_tables WHERE schemaname = 'crypto'", name).split()
    assert {"person", "person_prices", "price_tickers_before_2016"} <= set(tables)
    assert not await asyncio.to_thread(lambda: [*tmp_path.rglob("*.sqlite3*")])


async def test_a_second_gateway_on_one_database_is_refused(tmp_path: Path, postgres: PostgresServer, name: str) -> None:
    """Promise: two gateways would store every tick twice; the second one says so and ends."""
    settings = settings_of(postgres, name)
    (tmp_path / "other").mkdir()
    async with gateway(tmp_path, **settings):
        upper = {key.upper(): value for key, value in settings.items()}
        status, said, complaint = await Gateway(tmp_path / "other", upper).run("serve")
    assert (status, said) == (2, "")
    assert re.fullmatch(r"cryptomarket: Another gateway runs on the database .*\n", complaint)


async def test_a_trial_is_copied_while_it_runs(tmp_path: Path, postgres: PostgresServer, name: str) -> None:
    """Promise: `copy-database` beside a gateway that writes its SQLite file proves what it took, and disturbs nobody;
    run again after the end of the trial, it takes the rest, and PostgreSQL has every tick that was streamed,
    and shows them as docs/postgresql.md says.
    """
    copying = ("copy-database", "--to", postgres.url(name))
    async with gateway(tmp_path) as gate:
        token, user_id = await gate.login()
        async with gate.client(token) as client:
            assert (await client.put("/api/v2/subscriptions/btc_usd")).status_code == 201
        async with reading(gate, token, tickers=TICKERS) as reader:
            await reader.until(lambda told: len(told.named("message")) > 3)
            status, said, complaint = await gate.run(*copying)
            assert status == 0, complaint
            assert said.splitlines()[-1].startswith("The same rows, to the digit: ")
            copied = int(postgres.sql("SELECT count(*) FROM crypto.price_tickers", name))
            assert copied > 0
            since = len(reader.named("message"))
            await reader.until(lambda told: len(told.named("message")) > since + 3)
            assert not reader.named("gap", "disconnected")
        heard = {event["seq"] for event in reader.named("message")}
        assert await gate.stop() == 0
    status, _, complaint = await gate.run(*copying)
    assert status == 0, complaint
    stored = postgres.sql("SELECT string_agg(seq::text, ' ') FROM crypto.price_tickers", name).split()
    assert heard <= {int(seq) for seq in stored}
    assert len(stored) > copied
    assert postgres.sql("SELECT string_agg(user_id, ' ') FROM crypto.person", name) == user_id
    [shown] = [block.code for block in blocks_of("docs/postgresql.md") if block.code.startswith("SELECT")]
    prices = [line.partition("|")[2] for line in postgres.sql(shown, name).splitlines()]
    assert len(prices) > 0
    assert all(re.fullmatch(r"\d+(\.\d+)?", price) for price in prices)


async def test_a_database_of_a_newer_version_is_refused_untouched(
    tmp_path: Path, postgres: PostgresServer, postgres_template: str
) -> None:
    """Promise: upgrade only. What a newer version wrote is left as it is, with a sentence."""
    name = postgres.new_database(postgres_template)
    postgres.sql("UPDATE crypto.alembic_version SET version_num = '9999'", name)
    before = postgres.dump(name)
    upper = {key.upper(): value for key, value in settings_of(postgres, name).items()}
    status, said, complaint = await Gateway(tmp_path, upper).run("up")
    assert (status, said) == (2, "")
    assert re.fullmatch(
        r"cryptomarket: The database is of revision '9999', which .* Nothing was changed; .*\n", complaint
    )
    assert postgres.dump(name) == before
    postgres.drop(name)
