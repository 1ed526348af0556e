"""What gateway and commands both stand on: one store, for one exchange, of one gateway; and keys that are kept."""

import asyncio
from pathlib import Path

import pytest
from pydantic import SecretStr

from __tests__.postgres_server import PASSWORD, SUPERUSER, PostgresServer
from cryptomarket.clock import Clock
from cryptomarket.errors import StartRefused
from cryptomarket.foundation import accounts_values, alone, database_address, memory_backplane, open_database
from cryptomarket.market.instruments import Exchange
from cryptomarket.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A store that does not exist yet, in a folder that does not either."""
    return Settings(data_dir=tmp_path / "new")


def test_a_store_has_one_gateway(settings: Settings) -> None:
    """Promise: a second gateway on a store is refused while the first runs, and welcome afterwards."""
    with alone(settings):
        with pytest.raises(StartRefused, match="Another gateway"), alone(settings):
            pytest.fail("two would store every tick twice")
        other = settings.model_copy(update={"sqlite_path": settings.data_dir / "other.sqlite3"})
        with alone(other):
            pass
    with alone(settings):
        pass


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    """Promise: where nothing can be kept, nothing is started."""
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StartRefused, match="DATA_DIR"), alone(Settings(data_dir=tmp_path / "file")):
        pytest.fail("there is no folder")


async def test_a_store_is_made_and_found_again(settings: Settings) -> None:
    """Promise: the first start makes it, the next ones use it."""
    for _ in range(2):
        async with open_database(settings) as database:
            await database.ping()
    assert settings.database_path.exists()


def mode_of(path: Path) -> int:
    """Who may read it."""
    return path.stat().st_mode & 0o777


def within(folder: Path) -> list[Path]:
    """What is in a folder."""
    return sorted(folder.iterdir())


async def test_a_folder_that_is_a_slip_is_not_made(tmp_path: Path) -> None:
    """Promise: a path that leads nowhere is told, by the setting's name, and leaves nothing behind."""
    slips = {
        "SQLITE_PATH": Settings(data_dir=tmp_path, sqlite_path=tmp_path / "slip" / "store.sqlite3"),
        "DATA_DIR": Settings(data_dir=tmp_path / "slip" / "data"),
    }
    for name, settings in slips.items():
        with pytest.raises(StartRefused, match=name), alone(settings):
            pytest.fail("there is no such folder")
        with pytest.raises(StartRefused, match=name):
            async with open_database(settings):
                pytest.fail("there is no such folder")
    assert within(tmp_path) == []


async def modes_kept(settings: Settings) -> set[int]:
    """Who may read what a gateway keeps while it runs: the store, its two companions, the lock, and two keys."""
    with alone(settings):
        async with open_database(settings):
            accounts_values(settings)
            kept = within(settings.database_path.parent)
            assert len(kept) == 6
            return {mode_of(path) for path in kept}


async def test_what_is_kept_is_its_owners_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: folder and files are closed to others, those of an earlier version, too; other folders are let be."""
    monkeypatch.chdir(tmp_path)
    data, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    assert await modes_kept(Settings()) == {0o600}
    assert mode_of(data) == 0o700
    data.chmod(0o755)
    for path in within(data):
        if "sqlite3" in path.name:
            path.chmod(0o644)
    assert await modes_kept(Settings()) == {0o600}
    assert mode_of(data) == 0o700
    elsewhere.mkdir(mode=0o755)
    assert await modes_kept(Settings(data_dir=elsewhere)) == {0o600}
    assert mode_of(elsewhere) == 0o755


async def test_a_server_is_a_store_as_well(postgres: PostgresServer, tmp_path: Path) -> None:
    """Promise: DEBUG=False keeps everything in PostgreSQL, made at the first start, and no file of SQLite's."""
    name = postgres.new_name()
    settings = Settings(
        data_dir=tmp_path / "data",
        debug=False,
        postgres_port=postgres.port,
        postgres_db=name,
        postgres_user=SUPERUSER,
        postgres_password=SecretStr(PASSWORD),
    )
    for _ in range(2):
        async with open_database(settings) as database, database.held(shared=False):
            await database.ping()
            with alone(settings):
                assert not database.is_sqlite
            async with open_database(settings) as another:
                for shared in (True, False):
                    with pytest.raises(StartRefused, match="Another gateway runs on the database"):
                        async with another.held(shared=shared):
                            pytest.fail("two would store every tick twice")
    assert PASSWORD not in database_address(settings)
    assert await asyncio.to_thread(lambda: [*(tmp_path / "data").iterdir()]) == []
    postgres.drop(name)


async def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    """Promise: another file is named in a sentence, and not written to."""
    path = tmp_path / "letter.txt"
    path.write_text("Dear reader,")
    path.chmod(0o644)
    with pytest.raises(StartRefused, match=r"letter\.txt"):
        async with open_database(Settings(data_dir=tmp_path, sqlite_path=path)):
            pytest.fail("it is a letter")
    assert path.read_text() == "Dear reader,"
    assert mode_of(path) == 0o644


async def test_each_epoch_is_new_and_they_sort_as_they_happened() -> None:
    """Promise: no position ever names two different events; a later start has a later epoch."""
    seconds = iter((1_790_000_000.0, 1_790_000_000.001, 1_790_000_001.0, 1_800_000_000.0))
    clock = Clock(lambda: 0.0, lambda: round(next(seconds) * 1_000_000))
    epochs = [(await memory_backplane(clock).bus.head()).epoch for _ in range(4)]
    assert len(set(epochs)) == 4
    assert epochs == sorted(epochs)
    same = [(await memory_backplane(Clock(lambda: 0.0, lambda: 1_790_000_000_000_000)).bus.head()).epoch for _ in "ab"]
    assert same[0] != same[1], "also two starts of one moment"


def test_keys_are_made_once_and_kept(settings: Settings) -> None:
    """Promise: a restart does not end tokens; the keys of two exchanges differ; what was given is used as it is."""
    settings.data_dir.mkdir(parents=True)
    first, again = accounts_values(settings), accounts_values(settings)
    assert first.token_key.reveal() == again.token_key.reveal()
    assert first.seal_secret.reveal() == again.seal_secret.reveal() != first.token_key.reveal()
    other = accounts_values(Settings(data_dir=settings.data_dir, exchange=Exchange.TEST))
    assert other.token_key.reveal() != first.token_key.reveal()
    given = accounts_values(
        Settings(data_dir=settings.data_dir, token_key=SecretStr("given by somebody, and long enough"))
    )
    assert given.token_key.reveal() == "given by somebody, and long enough"
