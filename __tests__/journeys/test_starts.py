"""What cannot work is refused at the start: one sentence, an exit status, and nothing left running or changed."""

import asyncio
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from __tests__.journeys.gateway import Gateway, gateway
from __tests__.journeys.witness import comes_true

NOBODY = "ws://127.0.0.1:9/ws/api/v2"


@contextmanager
def taken_port() -> Iterator[int]:
    """A port that somebody else listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        yield port


def free_port() -> int:
    """A port that nobody listens on."""
    with taken_port() as port:
        return port


def bytes_of(path: str) -> bytes:
    """All of a file."""
    return Path(path).read_bytes()


async def check_nobody_listens(port: int) -> None:
    """Asserts that nobody listens on a port of this machine."""
    with pytest.raises(OSError, match="Connect call failed"):
        await asyncio.open_connection("127.0.0.1", port)


async def refusal(folder: Path, *command: str, **settings: str) -> str:
    """The one sentence with which a start is refused. Asserts that it is one, and that the exit status is 2."""
    named = {name.upper(): value for name, value in settings.items()}
    status, said, complaint = await Gateway(folder, named).run(*(command or ("up",)))
    assert (status, said) == (2, ""), complaint
    sentence = re.fullmatch(r"cryptomarket: (.+)\n", complaint)
    assert sentence is not None, complaint
    return sentence[1]


NONSENSE = [
    ({"app_port": "x"}, "APP_PORT"),
    ({"app_host": "no.such.host.invalid"}, "APP_HOST"),
    ({"data_dir": "a file"}, "DATA_DIR"),
    ({"sqlite_path": "a file"}, "a file"),
    ({"token_key": "guessable"}, "TOKEN_KEY"),
]


@pytest.mark.parametrize(("settings", "named"), NONSENSE, ids=[str(settings) for settings, _ in NONSENSE])
async def test_settings_that_cannot_be(tmp_path: Path, settings: dict[str, str], named: str) -> None:
    """Promise: impossible settings are refused by a sentence that names the setting and shows no value of a secret."""
    (tmp_path / "a file").write_text("This is no database.")
    sentence = await refusal(tmp_path, **settings)
    assert named in sentence
    assert "guessable" not in sentence
    assert (tmp_path / "a file").read_text() == "This is no database."


async def test_settings_come_from_a_file_too(tmp_path: Path) -> None:
    """Promise: `.env` counts, the environment stands above it, and what would be used can be looked at."""
    (tmp_path / ".env").write_text("POOL_SIZE=5\nKEEP_ALIVE_S=3\nSEAL_SECRET=kept-from-whoever-looks-at-this-here\n")
    status, said, complaint = await Gateway(tmp_path, {"KEEP_ALIVE_S": "4"}).run("config", "check")
    assert status == 0, complaint
    assert {"POOL_SIZE=5", "KEEP_ALIVE_S=4.0"} <= set(said.splitlines())
    assert "kept-from" not in said


async def test_the_stores_of_two_exchanges_stay_apart(tmp_path: Path) -> None:
    """Promise: simulated prices never become real history: the database of one exchange is refused for another."""
    path = str(tmp_path / "store.sqlite3")
    async with gateway(tmp_path, sqlite_path=path) as gate:
        assert (await gate.login())[0]
    before = bytes_of(path)
    sentence = await refusal(tmp_path, sqlite_path=path, exchange="test", deribit_ws_url=NOBODY)
    assert {"simulator", "test"} <= set(re.findall(r"\w+", sentence))
    assert bytes_of(path) == before
    status, _, complaint = await Gateway(tmp_path, {"SQLITE_PATH": path}).run("keys", "list")
    assert status == 0, complaint


async def test_a_taken_port(tmp_path: Path) -> None:
    """Promise: a port in use is named, before anything is begun; the simulator does not stay behind."""
    simulator_port = free_port()
    with taken_port() as port:
        sentence = await refusal(tmp_path, app_port=str(port), simulator_port=str(simulator_port))
    assert str(port) in sentence
    assert "APP_PORT" in sentence
    await check_nobody_listens(simulator_port)


async def test_a_taken_port_of_the_simulator(tmp_path: Path) -> None:
    """Promise: the simulator's port is named in the same way, and the gateway does not run without it."""
    app_port = free_port()
    with taken_port() as port:
        named = {"APP_PORT": str(app_port), "SIMULATOR_PORT": str(port)}
        status, said, complaint = await Gateway(tmp_path, named).run("up")
    assert (status, said) == (2, "")
    assert re.search(rf"^cryptomarket: .*{port}.*SIMULATOR_PORT", complaint, re.MULTILINE), complaint
    await check_nobody_listens(app_port)


async def test_one_gateway_per_store(tmp_path: Path) -> None:
    """Promise: a second gateway in the same folder would store every tick twice, and is refused while the first runs,
    which does not notice; after kill -9 the store is free at once. Commands that look after keys work beside it.
    """
    async with gateway(tmp_path) as gate, gate.client() as client:

        async def is_ready() -> bool:
            return (await client.get("/ready")).status_code == 200

        await comes_true(is_ready)
        sentence = await refusal(tmp_path)
        assert "Another gateway" in sentence
        assert "DATA_DIR" in sentence
        assert await is_ready()
        assert await gate.operator()
        await gate.kill()
        await gate.start()
        assert await gate.stop() == 0
    keys = [path for path in (tmp_path / "data").iterdir() if path.suffix == ".key"]
    assert len(keys) == 2
    assert {path.stat().st_mode & 0o777 for path in keys} == {0o600}
