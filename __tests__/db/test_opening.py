import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from __tests__.postgres_server import PASSWORD, SUPERUSER, PostgresServer
from cryptomarket.db import Database, opened, shown
from cryptomarket.errors import StartRefused


@pytest.fixture
def new_name(postgres: PostgresServer) -> Iterator[str]:
    """The name of a database that does not exist yet."""
    name = postgres.new_name()
    yield name
    postgres.drop(name)


async def test_the_first_start_makes_the_database(postgres: PostgresServer, new_name: str) -> None:
    """Database, schema and tables come into being together; the second start finds them."""
    for _ in range(2):
        await opened(postgres.url(new_name), exchange="test")
    told = postgres.sql(
        "SELECT string_agg(tablename, ' ' ORDER BY 1) FROM pg_tables WHERE schemaname = 'crypto'", new_name
    )
    assert {"person", "person_prices", "price_tickers_before_2016", "gaps", "statuses", "store"} <= set(told.split())
    assert postgres.sql("SHOW server_encoding", new_name) == "UTF8"


async def test_first_starts_at_once_are_one(postgres: PostgresServer, new_name: str) -> None:
    """Several processes that start on nothing make one database, and each goes on."""
    url = postgres.url(new_name)
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        for _ in range(6):
            group.create_task(opened(url, exchange="test"))
    database = Database(url)
    await database.claim("test")
    await database.close()
    assert postgres.sql("SELECT count(*) FROM crypto.alembic_version", new_name) == "1"


async def test_a_wrong_password_is_a_sentence(postgres: PostgresServer, new_name: str) -> None:
    """The sentence names the settings to look at, and neither password."""
    with pytest.raises(StartRefused, match=r"does not let 'owner' in: check POSTGRES_USER and POSTGRES_PASSWORD") as no:
        await opened(postgres.url(new_name, password="wrong-one"))
    assert "wrong-one" not in str(no.value)
    assert PASSWORD not in str(no.value)
    assert postgres.sql(f"SELECT count(*) FROM pg_database WHERE datname = '{new_name}'") == "0"


async def test_a_server_that_is_away_is_a_sentence() -> None:
    """Nobody reads a trace to learn that PostgreSQL does not run."""
    with pytest.raises(StartRefused, match=r"PostgreSQL at 127\.0\.0\.1:1 cannot be reached: .* POSTGRES_HOST"):
        await opened("postgresql://u:p@127.0.0.1:1/none")


async def test_who_may_not_make_a_database_is_told_what_to_ask_for(postgres: PostgresServer, new_name: str) -> None:
    """A role without the right to create gets the statement to hand on."""
    postgres.sql(f"CREATE ROLE {new_name} LOGIN PASSWORD 'p'")
    with pytest.raises(StartRefused, match=f'CREATE DATABASE "{new_name}" OWNER "{new_name}"'):
        await opened(postgres.url(new_name, user=new_name, password="p"))
    postgres.sql(f'CREATE DATABASE "{new_name}" OWNER "{new_name}"')
    await opened(postgres.url(new_name, user=new_name, password="p"))
    assert postgres.sql("SELECT count(*) FROM crypto.person", new_name) == "0"
    postgres.drop(new_name)
    postgres.sql(f"DROP ROLE {new_name}")


async def test_another_exchanges_store_is_refused_untouched(store_url: str) -> None:
    """Real prices are not even migrated by a gateway of another exchange."""
    await opened(store_url, exchange="test")
    database = Database(store_url)
    await database.claim("production")
    with pytest.raises(StartRefused, match="belongs to the exchange 'production' and cannot be used with 'test'"):
        await opened(store_url, exchange="test")
    await opened(store_url, exchange="production")
    await database.close()


async def test_a_file_that_is_no_database_is_a_sentence(tmp_path: Path) -> None:
    """The file is named, and not written to."""
    path = tmp_path / "letter.txt"
    path.write_text("Dear reader,")
    with pytest.raises(StartRefused, match=r"letter\.txt cannot be opened"):
        await opened(f"sqlite:///{path}")
    assert path.read_text() == "Dear reader,"


async def test_a_mistake_of_ours_keeps_its_name(tmp_path: Path) -> None:
    """What is wrong with a revision is not told as trouble with the server."""
    connection = sqlite3.connect(tmp_path / "store.sqlite3")
    connection.execute("CREATE TABLE crypto_person_sets (somebody_elses TEXT)")
    connection.close()
    with pytest.raises(Exception, match="crypto_person_sets already exists"):
        await opened(f"sqlite:///{tmp_path / 'store.sqlite3'}")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://me:s3cret@db:5432/prices", "postgresql://me:***@db:5432/prices"),
        (
            "postgresql+asyncpg://me@/prices?host=%2Frun%2Fpostgresql",
            "postgresql://me@/prices?host=%2Frun%2Fpostgresql",
        ),
        (
            "postgresql://127.0.0.1:5433/x?user=owner&password=s3cret&sslmode=require",
            "postgresql://owner:***@127.0.0.1:5433/x?sslmode=require",
        ),
        ("postgresql://me:s3cret@db/x?password=another", "postgresql://me:***@db/x"),
        ("sqlite:///data/store.sqlite3", "sqlite:///data/store.sqlite3"),
    ],
)
def test_an_address_is_shown_without_its_password(url: str, told: str) -> None:
    """What is printed can be given to psql, and betrays nothing."""
    assert shown(url) == told


async def test_a_socket_is_an_address_too(postgres: PostgresServer, new_name: str) -> None:
    """POSTGRES_HOST may be a folder, as it is for psql."""
    await opened(f"postgresql://{SUPERUSER}@/{new_name}?host={postgres.folder}&port={postgres.port}")
    assert postgres.sql("SELECT count(*) FROM crypto.person", new_name) == "0"
