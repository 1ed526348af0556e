"""What a Redis between processes shows of logins to whoever reads all of it: nothing that opens a secret."""

import asyncio
import re
import secrets
from pathlib import Path

import pytest

from __tests__.journeys.monitor import monitor
from __tests__.journeys.scaled import SEAL_SECRET, deployment_on, own_redis
from __tests__.journeys.test_secrets import (
    check_nowhere,
    files_of,
    present,
    present_by_form,
    shapes_of,
    unusual_account,
)
from __tests__.journeys.witness import comes_true
from __tests__.postgres_server import PostgresServer
from cryptomarket.accounts.letters import BOX, one_time_key_name
from cryptomarket.accounts.seal import Seal, SealBroken
from cryptomarket.secret import Sealed, Secret
from cryptomarket.simulator.faults import Fault

WAITING = 6
ONE_TIME_KEY = re.compile(rb'"SET" "[^"]*%s([^"]+)" "((?:[^"\\]|\\.)*)"' % re.escape(one_time_key_name("").encode()))
SEALED = re.compile(rb'\{\\"login_id\\":\\"([^\\]+)\\",\\"sealed\\":\\"([^\\]+)\\"\}')


def unescaped(text: bytes) -> bytes:
    """What MONITOR has escaped."""
    return text.decode("latin-1").encode("ascii").decode("unicode_escape").encode("latin-1")


async def test_neither_a_dump_nor_a_monitor_opens_a_secret(tmp_path: Path, postgres: PostgresServer) -> None:
    """Promise: logins right, wrong and waiting leave in Redis, as it is dumped meanwhile and afterwards, in its
    append-only file, and in all that it was ever asked, no secret in any shape, no token, and no client id; whoever has
    both the sealed letter and its one-time key opens nothing without SEAL_SECRET.
    """
    right, waiting = unusual_account(), [unusual_account() for _ in range(WAITING)]
    wrong = (unusual_account()[0], f"wrong-{secrets.token_hex(16)}")
    options = ("--appendonly", "yes", "--appendfsync", "always", "--rdbcompression", "no")
    with own_redis(*options) as redis, monitor(redis.port) as heard:
        names = ("api1", "api2", "ingest1")
        async with deployment_on(redis, tmp_path, postgres, *names, login_timeout_s="4", login_failures="99") as built:
            good = await present(built["api1"], *right)
            assert [answer.status_code for answer in good] == [200, 200, 200, 404]
            bad = await present(built["api2"], *wrong)
            assert {answer.status_code for answer in bad} == {401}
            tokens = [answer.json()["access_token"] for answer in good[:3]]
            built.simulator.add_faults(Fault(kind="mute", methods=("public/auth",)))
            async with built["api2"].client() as client, asyncio.TaskGroup() as group:
                asking = [group.create_task(present_by_form(client, *pair)) for pair in waiting]
                await comes_true(lambda: len(set(SEALED.findall(bytes(heard.text)))) >= len(good) + len(bad) + WAITING)
                await asyncio.to_thread(redis.keep_data)
                (redis.folder / "dump.rdb").rename(redis.folder / "meanwhile.rdb")
            assert {asked.result().status_code for asked in asking} == {503}
            built.simulator.clear_faults()
            await asyncio.to_thread(redis.keep_data)
            await built.check_alive(*names)
            logs = [(name, built[name].log_path.read_bytes()) for name in built.processes]
        files = [*files_of(redis.folder), *logs, ("monitor", bytes(heard.text))]
    read = {name for name, _ in files}
    assert {"meanwhile.rdb", "dump.rdb"} <= read
    # The second is how Redis calls it before 7.0.
    assert any(name.endswith((".incr.aof", "appendonly.aof")) for name in read)
    assert BOX.encode() in dict(files)["meanwhile.rdb"]
    shapes = [shape for pair in (right, wrong, *waiting) for shape in shapes_of(*pair)]
    check_nowhere(files, *shapes, SEAL_SECRET.encode(), *(token.encode() for token in tokens))
    of_redis = [(name, content) for name, content in files if name not in dict(logs)]
    # Who was let in has a profile there, and the simulator's people are called what their keys are.
    check_nowhere(of_redis, *(pair[0].encode() for pair in (wrong, *waiting)))
    check_letters(bytes(heard.text), {secret for _, secret in (right, wrong, *waiting)})


def check_letters(text: bytes, presented: set[str]) -> None:
    """Opens every letter that was seen with its one-time key, which was seen too: with SEAL_SECRET that gives what was
    presented, so these are all there is; with any other it gives nothing.
    """
    keys = {login_id.decode(): unescaped(key) for login_id, key in ONE_TIME_KEY.findall(text)}
    opened = set()
    for login_id, sealed in SEALED.findall(text):
        letter = {"one_time_key": keys[login_id.decode()], "login_id": login_id.decode()}
        _, secret = Seal(seal_secret=Secret(SEAL_SECRET), **letter).open_pair(Sealed(sealed))
        opened.add(secret.reveal())
        for guess in ("", "a guess that is long enough to be a seal"):
            with pytest.raises(SealBroken):
                Seal(seal_secret=Secret(guess), **letter).open_pair(Sealed(sealed))
    assert opened == presented
