"""What cannot work in a deployment is refused at the start: one sentence, an exit status, and nothing touched."""

import asyncio
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from __tests__.backplane.redis_server import RedisServer, free_port
from __tests__.journeys.gateway import QUICK
from __tests__.journeys.scaled import SWIFT, own_redis
from __tests__.journeys.test_starts import refusal
from __tests__.postgres_server import PASSWORD, SUPERUSER, PostgresServer

WRONG = "a-password-nobody-may-see"


@dataclass(frozen=True)
class Ground:
    """What a deployment would stand on, and was never used."""

    redis: RedisServer
    postgres: PostgresServer
    database: str
    settings: dict[str, str]

    def is_untouched(self) -> bool:
        """No key in Redis, and no database of that name."""
        found = self.postgres.sql(f"SELECT count(*) FROM pg_database WHERE datname = '{self.database}'")
        with self.redis.client() as client:
            return found == "0" and client.dbsize() == 0


@pytest.fixture
def ground(postgres: PostgresServer) -> Iterator[Ground]:
    """All that is needed."""
    database = postgres.new_name()
    with own_redis() as redis:
        settings = {
            **SWIFT,
            "redis_url": f"redis://127.0.0.1:{redis.port}/0",
            "postgres_port": str(postgres.port),
            "postgres_db": database,
            "postgres_user": SUPERUSER,
            "postgres_password": PASSWORD,
        }
        yield Ground(redis, postgres, database, settings)
    postgres.drop(database)


CASES = {
    "debug with nonsense": ({"debug": "perhaps"}, r"DEBUG is True or False\."),
    "a bus of another kind": ({"redis_url": "amqp://127.0.0.1/0"}, r"The URL of Redis begins with one of .*"),
    "no bus there": (
        {"redis_url": f"redis://:{WRONG}@127.0.0.1:{free_port()}/0"},
        r"Redis cannot be reached: .*Connection refused\. Is REDIS_URL or REDIS_HOST right, and Redis up\?",
    ),
    "an unknown host of the bus": (
        {"redis_url": f"redis://:{WRONG}@no.such.host.invalid:6379/0"},
        r"Redis cannot be reached: .*no\.such\.host\.invalid.* Is REDIS_URL or REDIS_HOST right, and Redis up\?",
    ),
    "no Sentinel there": (
        {"redis_url": f"redis+sentinel://:{WRONG}@127.0.0.1:{free_port()},127.0.0.1:{free_port()}/main"},
        r"Redis cannot be reached: No Sentinel names a primary called 'main'\. Is REDIS_URL or .*",
    ),
    "no database there": ({"postgres_port": str(free_port())}, r"PostgreSQL at 127\.0\.0\.1:\d+ .*"),
    "an unknown host of the database": ({"postgres_host": "no.such.host.invalid"}, r".*PostgreSQL.*"),
    "another password of the database": (
        {"postgres_password": WRONG},
        r"PostgreSQL at \S+ does not let 'owner' in: .*",
    ),
    "no backplane": ({"redis_url": ""}, r"The role api needs a shared backplane; set REDIS_URL\."),
    "no shared database": ({"debug": "True"}, r"The role api needs a database that processes can share; .*"),
    "no seal secret": ({"seal_secret": ""}, r"The role api needs the SEAL_SECRET .*"),
    "no exchange said": (
        {"exchange": ""},
        r"The role api needs an EXCHANGE that was said; set it to production, test, simulator\.",
    ),
    "a weak token key": ({"token_key": "short"}, r"TOKEN_KEY is shorter than the 32 bytes that HS256 needs .*"),
    "a bus with words that nobody knows": (
        {"redis_url": f"redis://:{WRONG}@127.0.0.1:1/0?socket_timeout={WRONG}"},
        r"The URL of Redis has no 'socket_timeout'; .*",
    ),
    "everybody is a proxy": ({"trusted_proxies": "*"}, r"TRUSTED_PROXIES: '\*' is no address, nor a network .*"),
    "no token key": ({"token_key": ""}, r"The role api needs the TOKEN_KEY .*"),
}


@pytest.mark.parametrize(("changes", "sentence"), CASES.values(), ids=[name.replace(" ", "_") for name in CASES])
async def test_what_cannot_work_is_refused(
    tmp_path: Path, ground: Ground, changes: dict[str, str], sentence: str
) -> None:
    """Promise: one clear sentence on the error output, which shows no password; exit status 2; nothing was touched."""
    told = await refusal(tmp_path, "serve", "--role", "api", **{**ground.settings, **changes})
    assert re.fullmatch(sentence, told), told
    assert WRONG not in told
    assert PASSWORD not in told
    assert ground.is_untouched()


async def test_a_sentinel_that_is_none(tmp_path: Path, ground: Ground) -> None:
    """Promise: a server in the place of a Sentinel is one sentence too, without a line of the log before it."""
    parts = {"redis_url": "", "redis_host": "127.0.0.1", "redis_port": str(ground.redis.port)}
    told = await refusal(tmp_path, "serve", "--role", "api", **ground.settings | parts | {"redis_master_name": "main"})
    assert re.fullmatch(
        r"Redis cannot be reached: No Sentinel names a primary called 'main'\. Is REDIS_URL or .*", told
    )
    assert ground.is_untouched()


async def test_another_password_of_the_bus(tmp_path: Path, ground: Ground) -> None:
    """Promise: a Redis that wants another password is told from one that is away, and shows neither."""
    with ground.redis.client() as client:
        client.config_set("requirepass", "right")
        url = ground.settings["redis_url"].replace("redis://", f"redis://:{WRONG}@")
        for settings in (ground.settings, {**ground.settings, "redis_url": url}):
            for role in ("api", "ingest", "write"):
                told = await refusal(tmp_path, "serve", "--role", role, **settings)
                assert told == "Redis wants another user or password than REDIS_URL or REDIS_PASSWORD has."
        client.config_set("requirepass", "")
    assert ground.is_untouched()


async def test_a_database_of_a_newer_version(tmp_path: Path, ground: Ground, postgres_template: str) -> None:
    """Promise: what a newer version wrote is left as it is by every role."""
    name = ground.postgres.new_database(postgres_template)
    ground.postgres.sql("UPDATE crypto.alembic_version SET version_num = '9999'", name)
    before = ground.postgres.dump(name)
    for role in ("api", "ingest", "write"):
        told = await refusal(tmp_path, "serve", "--role", role, **{**ground.settings, "postgres_db": name})
        assert re.fullmatch(r"The database is of revision '9999', which .* Nothing was changed; .*", told)
    assert ground.postgres.dump(name) == before
    assert ground.is_untouched()
    ground.postgres.drop(name)


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (("--role", "reader"), r"There is no role 'reader'; there are all, api, ingest, write\."),
        (("--role", "api", "--workers", "0"), r"--workers must be 1 or more\."),
        (("--role", "api", "--workers", "2"), r"2 API workers need one port that they share; set APP_PORT\."),
        (("--role", "ingest", "--workers", "2"), r"--workers is for the role api; .*"),
        (("--workers", "2"), r"--workers is for the role api; .*"),
    ],
)
async def test_a_command_that_cannot_be(
    tmp_path: Path, ground: Ground, command: tuple[str, ...], sentence: str
) -> None:
    """Promise: what is asked for on the command line is refused in the same way."""
    told = await refusal(tmp_path, "serve", *command, **ground.settings)
    assert re.fullmatch(sentence, told), told
    assert ground.is_untouched()


async def test_several_workers_that_cannot_start(tmp_path: Path, ground: Ground) -> None:
    """Promise: workers whose start is refused are not started again and again; the sentence is theirs."""
    told = await refusal(tmp_path, "serve", "--role", "api", "--workers", "4", **{**ground.settings, "redis_url": ""})
    assert told == "4 API workers need a shared backplane; set REDIS_URL."
    assert ground.is_untouched()


async def test_several_workers_say_once_what_is_wrong(tmp_path: Path, ground: Ground) -> None:
    """Promise: a server that lets nobody in is one sentence however many workers there are, and no banner above it."""
    command = ("serve", "--role", "api", "--workers", "3")
    with ground.redis.client() as client:
        client.config_set("requirepass", "right")
        told = await refusal(tmp_path, *command, **ground.settings, app_port=str(free_port()))
        client.config_set("requirepass", "")
    assert told == "Redis wants another user or password than REDIS_URL or REDIS_PASSWORD has."
    assert ground.is_untouched()


async def refused_helper(folder: Path, who: str, settings: Mapping[str, str]) -> str:
    """The one sentence with which a worker or beat refuses to start. It has not called itself alive."""
    given = {**QUICK, **{name.upper(): value for name, value in settings.items()}, "DATA_DIR": str(folder)}
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), **given}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"cryptomarket.{who}"),
        cwd=folder,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        printed, complaint = await process.communicate()
    assert (process.returncode, printed) == (2, b""), complaint
    sentence = re.fullmatch(r"cryptomarket: (.+)\n", complaint.decode())
    assert sentence is not None, complaint
    assert not (folder / f"{who}.alive").exists()
    return sentence[1]


@pytest.mark.parametrize("who", ["worker", "beat"])
async def test_a_helper_whose_redis_lets_it_not_in(tmp_path: Path, ground: Ground, who: str) -> None:
    """Promise: worker and beat refuse a wrong password as every other process does, and don't try for ever."""
    with ground.redis.client() as client:
        client.config_set("requirepass", "right")
        told = await refused_helper(tmp_path, who, ground.settings)
        assert told == "Redis wants another user or password than REDIS_URL or REDIS_PASSWORD has."
        client.config_set("requirepass", "")
    told = await refused_helper(tmp_path, who, {**ground.settings, "exchange": ""})
    assert told == "Workers need an EXCHANGE that was said; set it to production, test, simulator."
    assert ground.is_untouched()


async def test_a_worker_whose_database_can_not_be(tmp_path: Path, ground: Ground, postgres_template: str) -> None:
    """Promise: a worker whose tasks could do nothing but wait does not look alive: its start is refused."""
    told = await refused_helper(tmp_path, "worker", {**ground.settings, "postgres_port": str(free_port())})
    assert told.startswith("PostgreSQL at 127.0.0.1:")
    name = ground.postgres.new_database(postgres_template)
    settings = {**ground.settings, "postgres_db": name}
    ground.postgres.sql("INSERT INTO crypto.store (id, exchange, created_ms) VALUES (1, 'test', 1)", name)
    assert "belongs to the exchange 'test'" in await refused_helper(tmp_path, "worker", settings)
    ground.postgres.sql("UPDATE crypto.alembic_version SET version_num = '9999'", name)
    assert "The database is of revision '9999'" in await refused_helper(tmp_path, "worker", settings)
    assert ground.is_untouched()
    ground.postgres.drop(name)
