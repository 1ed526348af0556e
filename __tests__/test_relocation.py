"""Moving from the SQLite file of a trial to PostgreSQL: with progress, resumable, proven, and refused in a sentence."""

import asyncio
import re
import socket
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from __tests__.backplane.redis_server import free_port
from __tests__.db.test_copying import fill
from __tests__.postgres_server import PASSWORD, SUPERUSER, PostgresServer
from __tests__.telemetry_kept import kept_logging
from cryptomarket.cli import app
from cryptomarket.db import Database, Progress
from cryptomarket.errors import StartRefused
from cryptomarket.relocation import Narrator, copy_database


@pytest.fixture
def trial(sqlite_url: str) -> str:
    """The address of a trial's store."""

    async def begin() -> None:
        database = Database(sqlite_url)
        await fill(database)
        await database.close()

    asyncio.run(begin())
    return sqlite_url


@pytest.fixture
def name(postgres: PostgresServer) -> Iterator[str]:
    """The name of a database that does not exist yet."""
    name = postgres.new_name()
    yield name
    postgres.drop(name)


def call(*arguments: str, **settings: str) -> Result:
    """The command, run with these settings."""
    with kept_logging():
        return CliRunner().invoke(
            app, ["copy-database", *arguments], env={name.upper(): value for name, value in settings.items()}
        )


def test_a_trial_moves(trial: str, postgres: PostgresServer, name: str) -> None:
    """Promise: the database is made, every table is told with its count and checksum, and no password is shown."""
    for _ in range(2):
        done = call("--from", trial, "--to", postgres.url(name))
        assert done.exit_code == 0, done.output
        lines = done.stdout.splitlines()
        assert {line.split()[0]: int(line.split()[1]) for line in lines[:-1]}["price_tickers"] == 20
        assert all(re.fullmatch(r"\w+  \d+  [0-9a-f]{64}", line) for line in lines[:-1])
        assert lines[-1].startswith("The same rows, to the digit: sqlite:///")
        assert PASSWORD not in done.output
    assert postgres.sql("SELECT count(*) FROM crypto.price_tickers", name) == "20"


def test_the_settings_say_from_where_to_where(
    trial: str, postgres: PostgresServer, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Promise: with the settings of both databases the command needs no address, and no password is seen by others."""
    monkeypatch.chdir(tmp_path)
    done = call(
        sqlite_path=trial.removeprefix("sqlite:///"),
        postgres_port=str(postgres.port),
        postgres_db=name,
        postgres_user=SUPERUSER,
        postgres_password=PASSWORD,
    )
    assert done.exit_code == 0, done.output
    assert "price_tickers: 20 of 20 rows" in done.stderr
    assert postgres.sql("SELECT exchange FROM crypto.store", name) == "simulator"


async def test_a_copy_into_a_running_gateways_database_is_refused(
    sqlite_url: str, postgres: PostgresServer, postgres_url: str
) -> None:
    """Promise: nothing is copied under the feet of a gateway, or of another copy."""
    source = Database(sqlite_url)
    await source.claim("simulator")
    await source.close()
    target = Database(postgres_url)
    for shared in (True, False):
        async with target.held(shared=shared):
            with pytest.raises(StartRefused, match="Another gateway runs on the database"):
                await copy_database(sqlite_url, postgres_url, tell=lambda _progress: None)
    await target.close()


def test_what_cannot_be_copied_is_one_sentence(
    sqlite_url: str, postgres: PostgresServer, name: str, tmp_path: Path
) -> None:
    """Promise: exit status 2, one sentence, and no database made for nothing."""
    to = postgres.url(name)
    older = tmp_path / "older.sqlite3"
    with sqlite3.connect(older) as connection:
        connection.execute("CREATE TABLE crypto_alembic_version (version_num VARCHAR(32) NOT NULL)")
        connection.execute("INSERT INTO crypto_alembic_version VALUES ('0001')")
    connection.close()
    for source, target, said in (
        (sqlite_url, to, "no gateway has ever kept anything"),
        (f"sqlite:///{tmp_path}/absent.sqlite3", to, "There is no file"),
        (f"sqlite:///{older}", to, "of revision 0001, and this version works with"),
        (sqlite_url, sqlite_url, "target is a PostgreSQL database"),
        (to, to, "the same database"),
        (sqlite_url, "somewhere", "An address of a database is"),
    ):
        done = call("--from", source, "--to", target)
        assert (done.exit_code, done.stdout) == (2, ""), done.output
        assert re.fullmatch(rf"cryptomarket: .*{said}.*\n", done.stderr), done.stderr
    assert not (tmp_path / "absent.sqlite3").exists()
    assert postgres.sql(f"SELECT count(*) FROM pg_database WHERE datname = '{name}'") == "0"


def test_a_source_that_cannot_be_read_is_named_with_its_reason(
    postgres: PostgresServer, name: str, tmp_path: Path
) -> None:
    """Promise: nobody looks at the target when the source is to blame, nor for a server that is there."""
    (tmp_path / "text.sqlite3").write_text("This is no database, however long one looks at it.\n" * 100)
    there, to = f"PostgreSQL at 127.0.0.1:{postgres.port}", postgres.url(name)
    for source, said in (
        (f"sqlite:///{tmp_path}/text.sqlite3", f"The database {tmp_path}/text.sqlite3 cannot be opened"),
        (postgres.url("no_such_testing"), f"{there} has no database 'no_such_testing'."),
        (
            postgres.url("no_such_testing").replace(PASSWORD, "wrong"),
            f"{there} does not let '{SUPERUSER}' in: check user and password of --from.",
        ),
        (f"postgresql://me@127.0.0.1:{free_port()}/x", "cannot be reached: is it running? Check --from."),
    ):
        done = call("--from", source, "--to", to)
        assert (done.exit_code, done.stdout) == (2, ""), done.output
        assert said in done.stderr
        assert done.stderr.count("\n") == 1
    assert postgres.sql(f"SELECT count(*) FROM pg_database WHERE datname = '{name}'") == "0"


def test_how_long_databases_are_waited_for_is_what_the_settings_say(
    trial: str, postgres: PostgresServer, name: str
) -> None:
    """Promise: DATABASE_CONNECT_TIMEOUT_S counts for a copy too, at its source and at its target."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        deaf = f"postgresql://me@127.0.0.1:{silent.getsockname()[1]}/x"
        for source, target in ((deaf, postgres.url(name)), (trial, deaf)):
            began_s = time.monotonic()
            done = call("--from", source, "--to", target, database_connect_timeout_s="0.2")
            assert done.exit_code == 2, done.output
            assert "cannot be reached" in done.stderr
            assert time.monotonic() - began_s < 4


def test_another_exchanges_database_is_left_alone(trial: str, postgres: PostgresServer, postgres_url: str) -> None:
    """Promise: a trial of the simulator never becomes part of real history."""
    database = postgres_url.rpartition("/")[2]
    postgres.sql("INSERT INTO crypto.store VALUES (1, 'production', 1)", database)
    done = call("--from", trial, "--to", postgres_url)
    assert done.exit_code == 2
    assert "belongs to the exchange 'production'" in done.stderr
    assert postgres.sql("SELECT count(*) FROM crypto.price_tickers", database) == "0"


def test_progress_is_told_once_a_second_and_at_the_end() -> None:
    """Promise: a long copy is heard of, and does not flood the terminal."""
    said: list[str] = []
    times = iter([0.0, 0.5, 0.9, 1.1, 1.2])
    narrator = Narrator(said.append, monotonic_s=lambda: next(times))
    for rows in (10, 20, 30, 40, 50):
        narrator(Progress("gaps", rows, 50))
    assert said == ["gaps: 10 of 50 rows", "gaps: 40 of 50 rows", "gaps: 50 of 50 rows"]
