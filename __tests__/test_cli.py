"""The command line says what it did, refuses with one sentence, and shows no secret but the one that was asked for."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner, Result

from __tests__.postgres_server import PostgresServer
from __tests__.telemetry_kept import kept_logging
from cryptomarket import __version__
from cryptomarket.cli import app, config_app, keys_app
from cryptomarket.settings import Settings
from cryptomarket.simulator.__main__ import app as simulator_app

KEY = re.compile(r"cmk_[a-z2-7]{12}_[0-9a-f]{64}\n")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of its own, in which nothing is set."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    with kept_logging():
        yield tmp_path


def call(*arguments: str, **settings: str) -> Result:
    """A command, run with these settings."""
    return CliRunner().invoke(app, arguments, env={name.upper(): value for name, value in settings.items()})


def test_it_tells_its_version() -> None:
    """Promise: what runs can be named."""
    assert call("version").stdout == f"{__version__}\n"


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("cryptomarket ta", "tail"),
        ("cryptomarket candles btc_usd --reso", "--resolution"),
        ("cryptomarket candles btc_usd --resolution 1", "15"),
        ("cryptomarket jobs st", "status"),
    ],
)
def test_the_shell_completes_it(typed: str, completed: str) -> None:
    """Promise: commands, options and their values are completed; the script for the shell asks as is done here."""
    asked = {"_CRYPTOMARKET_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" "))}
    done = CliRunner().invoke(app, [], prog_name="cryptomarket", env=asked)
    assert completed in done.output.split()
    script = CliRunner().invoke(app, ["--show-completion", "bash"], prog_name="cryptomarket").output
    assert "_CRYPTOMARKET_COMPLETE=complete_bash" in script


def test_it_prints_every_setting() -> None:
    """Promise: `config env` is .env.example: each setting with its meaning and default, all commented out."""
    text = call("config", "env").stdout
    assert text == (Path(__file__).parents[1] / ".env.example").read_text()
    lines = [line for line in text.splitlines() if line]
    assert all(line.startswith("# ") for line in lines)
    assert {line[2:].partition("=")[0].lower() for line in lines[2::2]} == set(Settings.model_fields)


def test_it_checks_the_settings_and_stars_the_secrets() -> None:
    """Promise: `config check` shows what differs from the defaults, where the database lies, and no secret."""
    done = call("config", "check", pool_size="5", deribit_client_id="me", deribit_client_secret="a-secret-of-mine")
    assert done.exit_code == 0
    assert {"POOL_SIZE=5", "DERIBIT_CLIENT_ID=me", "DERIBIT_CLIENT_SECRET=**********"} <= set(done.stdout.splitlines())
    assert "database: sqlite:///data/simulator-development.sqlite3" in done.stdout
    assert "a-secret-of-mine" not in done.output


def test_it_tells_the_address_of_the_server_without_its_password() -> None:
    """Promise: what `config check` prints can be given to psql, whatever stands in the password."""
    told = {"debug": "False", "postgres_host": "db", "postgres_user": "gate@way", "postgres_password": "p@ss/word"}
    done = call("config", "check", **told, exchange="production", project_mode="production")
    assert done.exit_code == 0
    assert "database: postgresql://gate%40way:***@db:5432/cryptomarket_production_production\n" in done.stdout
    assert "POSTGRES_PASSWORD=**********" in done.stdout
    assert "word" not in done.output.replace("PASSWORD", "")
    done = call("config", "check", debug="False", postgres_host="/run/postgresql", postgres_db="prices")
    assert "database: postgresql://postgres@/prices?host=%2Frun%2Fpostgresql&port=5432\n" in done.stdout


@pytest.mark.parametrize("name", ["redis_url", "redis_replica_url"])
@pytest.mark.parametrize("url", ["http://:a-word@x", "redis://:a-word@x/prices", "redis+sentinel://:a-word@x"])
def test_it_checks_the_addresses_of_redis(name: str, url: str) -> None:
    """Promise: `config check` does not call an address well with which nothing starts; and shows no password."""
    done = call("config", "check", **{name: url})
    assert (done.exit_code, done.stdout) == (2, "")
    assert re.fullmatch(r"cryptomarket: The URL of .+\n", done.stderr)
    assert "a-word" not in done.output


@pytest.mark.parametrize("command", [("up",), ("serve",), ("keys", "list"), ("mint", "1")])
def test_a_server_that_refuses_ends_every_command(command: tuple[str, ...], postgres: PostgresServer) -> None:
    """Promise: a wrong password and a server that is not there are one sentence each, exit status 2."""
    told = {"debug": "False", "project_mode": "testing", "app_port": "0", "simulator_port": "0"}
    wrong = {**told, "postgres_port": str(postgres.port), "postgres_user": "owner", "postgres_password": "wrong-one"}
    done = call(*command, **wrong)
    assert (done.exit_code, done.stdout) == (2, "")
    assert re.fullmatch(r"cryptomarket: .*does not let 'owner' in: check POSTGRES_USER and .*\n", done.stderr)
    assert "wrong-one" not in done.output
    done = call(*command, **told, postgres_port="1")
    assert (done.exit_code, done.stdout) == (2, "")
    assert re.fullmatch(r"cryptomarket: PostgreSQL at 127\.0\.0\.1:1 cannot be reached.*\n", done.stderr)
    assert postgres.sql("SELECT count(*) FROM pg_database WHERE datname LIKE 'cryptomarket%'") == "0"


@pytest.mark.parametrize("command", [("up",), ("serve",), ("config", "check"), ("keys", "list"), ("mint", "1")])
def test_settings_that_cannot_be_end_every_command(command: tuple[str, ...], folder: Path) -> None:
    """Promise: one sentence, exit status 2, and nothing begun."""
    done = call(*command, pool_size="1")
    assert done.exit_code == 2
    assert done.stdout == ""
    assert re.fullmatch(r"cryptomarket: POOL_SIZE: .+\n", done.stderr)
    assert list(folder.iterdir()) == []


def test_a_role_that_is_none() -> None:
    """Promise: the roles that there are, are named."""
    done = call("serve", "--role", "cook")
    assert done.exit_code == 2
    assert re.fullmatch(r"cryptomarket: .*'cook'.*all.*\n", done.stderr)


def test_the_life_of_a_key(folder: Path) -> None:
    """Promise: a key is shown once, kept as a digest, listed without itself, and ended by its id."""
    made = call("keys", "create", "of a dashboard")
    assert made.exit_code == 0
    assert KEY.fullmatch(made.stdout)
    key_id, secret = made.stdout.strip().split("_")[1:]
    listed = call("keys", "list").stdout
    assert listed.split() == [key_id, "of", "a", "dashboard", "operator", "-", "valid"]
    assert call("keys", "revoke", key_id).exit_code == 0
    assert call("keys", "list").stdout.split()[-1] == "revoked"
    kept = b"".join(path.read_bytes() for path in (folder / "data").iterdir())
    assert secret.encode() not in kept
    assert bytes.fromhex(secret) not in kept


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("keys", "create", "x", "--scope", "king"), "person, operator"),
        (("keys", "create", " "), "name"),
        (("keys", "create", "x", "--scope", "person", "--user-id", "u_nobody"), "no such user"),
        (("keys", "create", "x", "--scope", "person"), "--user-id"),
        (("keys", "create", "x", "--scope", "operator person"), "--user-id"),
        (("keys", "revoke", "nobody"), "no such"),
    ],
)
def test_a_key_that_cannot_be(arguments: tuple[str, ...], said: str) -> None:
    """Promise: what can't be is refused with a sentence, not with a trace."""
    done = call(*arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert re.fullmatch(rf"cryptomarket: .*{said}.*\n", done.stderr)


def test_persons_are_minted_for_tests_alone(folder: Path) -> None:
    """Promise: tokens without a login exist in a testing store alone, and a file of them is its owner's."""
    assert call("mint", "2").exit_code == 2
    assert list(folder.iterdir()) == []
    printed = call("mint", "3", project_mode="testing").stdout.splitlines()
    assert [bool(re.fullmatch(r"u_\w+ eyJ\S+", line)) for line in printed] == [True] * 3
    done = call("mint", "2", "--out", "tokens", project_mode="testing")
    assert (done.exit_code, done.stdout) == (0, "")
    assert len((folder / "tokens").read_text().splitlines()) == 2
    assert (folder / "tokens").stat().st_mode & 0o777 == 0o600


def test_tokens_are_written_for_their_owner_alone(folder: Path) -> None:
    """Promise: also where a file was that others may read; and what cannot be written to is a sentence."""
    (folder / "tokens").write_text("something older, and longer than what comes" * 100)
    (folder / "tokens").chmod(0o644)
    assert call("mint", "1", "--out", "tokens", project_mode="testing").exit_code == 0
    assert (folder / "tokens").stat().st_mode & 0o777 == 0o600
    assert re.fullmatch(r"u_\w+ eyJ\S+\n", (folder / "tokens").read_text())
    done = call("mint", "1", "--out", "no/such/folder", project_mode="testing")
    assert done.exit_code == 2
    assert re.fullmatch(r"cryptomarket: .*no/such/folder.*\n", done.stderr)


@pytest.mark.parametrize("command", [app, keys_app, config_app, simulator_app])
def test_no_traceback_shows_what_its_frames_hold(command: Typer) -> None:
    """Promise: a command that breaks shows where, and no local variable, which may be a secret."""
    assert not command.pretty_exceptions_enable


def test_an_unknown_command_is_told_so() -> None:
    """Promise: a slip of the hand starts nothing."""
    assert call("upp").exit_code == 2
    assert "up" in call("--help").stdout
