"""What every test shares."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from __tests__.examples import TIMES
from __tests__.postgres_server import PostgresServer
from cryptomarket.db import migrate
from cryptomarket.errors import StartRefused
from cryptomarket.settings import load_settings

# A shared machine is slow at times: an example may take long. What is tried is the same at each run of `make test`, so
# that nothing turns red by the draw alone; the oracle draws anew, by a seed that it prints (`make oracle SEED=...`).
FORM = settings(deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", FORM, derandomize=True, database=None)
settings.register_profile("oracle", FORM, derandomize=False, max_examples=FORM.max_examples * TIMES)
settings.load_profile("ci" if TIMES == 1 else "oracle")


def pytest_configure() -> None:
    """Refuses to begin where the settings name a PostgreSQL database that is not for tests.

    Tests make databases of their own and use no other; this is for the day on which one of them forgets it.
    """
    try:
        found = load_settings()
    except StartRefused:
        return  # settings that can't be reach no database
    if not found.debug and found.project_mode != "testing":
        pytest.exit(
            f"DEBUG=False and PROJECT_MODE={found.project_mode}: the test suite runs against testing databases alone.",
            2,
        )


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A real server, started by the first test that wants one: one for each worker."""
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real revisions, run once."""
    path = tmp_path_factory.mktemp("template") / "store.sqlite3"
    asyncio.run(migrate(f"sqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres: PostgresServer) -> str:
    """The name of a database on which the real revisions were run, once."""
    name = postgres.new_database()
    asyncio.run(migrate(postgres.url(name)))
    return name


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A migrated store of this test's own, in `store.sqlite3`."""
    return f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'store.sqlite3')}"


@pytest.fixture
def postgres_url(postgres: PostgresServer, postgres_template: str) -> Iterator[str]:
    """A migrated store of this test's own, on a real server."""
    name = postgres.new_database(postgres_template)
    yield postgres.url(name)
    postgres.drop(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A store of this test's own without any table, on each database in turn."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.sqlite3'}"
        return
    postgres: PostgresServer = request.getfixturevalue("postgres")
    name = postgres.new_database()
    yield postgres.url(name)
    postgres.drop(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest) -> str:
    """A migrated store of this test's own, on each database in turn: a behaviour that only one has is a bug."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url
