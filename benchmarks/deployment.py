"""The whole product as it is measured: real processes, reached over loopback, with the simulator as their exchange."""

import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import httpx

from benchmarks.crowd import Target
from benchmarks.market import Script, record
from benchmarks.processes import OTHER_CORE, SERVER_CORE, Program, environment, program, wait_until

STREAM_PATH = "/api/v2/sse/connection"

_ROOM = {
    "PROJECT_MODE": "testing",
    "APP_PORT": "0",
    # A benchmark is one user at one address, and nothing is collected but what it asks for.
    "STREAMS_PER_USER": "20000",
    "STREAMS_PER_ADDRESS": "20000",
    "ALWAYS_TICKERS": ",",
    "DEMAND_LINGER_S": "1",
    # The scripts fall silent on purpose.
    "INDEX_SILENCE_S": "3600",
    "INSTRUMENT_SILENCE_S": "3600",
}


@dataclass(frozen=True)
class Deployment:
    """A gateway that runs. `programs` are the processes of its own, without exchange, database server and Redis.

    `stored_rows` counts what it has written down.
    """

    name: str
    port: int
    programs: tuple[Program, ...]
    token: str
    simulator_url: str
    stored_rows: Callable[[], int]

    @property
    def cpu_s(self) -> float:
        """What all of it has used."""
        return sum(one.cpu_s for one in self.programs)

    @property
    def resident_bytes(self) -> int:
        """What all of it holds."""
        return sum(one.resident_bytes for one in self.programs)

    def target(self, tickers: str, query: str = "") -> Target:
        """A stream of these tickers."""
        return Target(f"{STREAM_PATH}?tickers={tickers}{query}", self.token)

    def sent(self) -> int:
        """How many notifications the exchange has sent."""
        return int(httpx.get(f"{self.simulator_url}/simulator/state").json()["notifications_sent"])


class Form(Protocol):
    """A way to start the product: with options of the simulator, and settings over the defaults."""

    def __call__(self, folder: Path, *options: str, **settings: str) -> AbstractContextManager[Deployment]: ...


def command(*words: str) -> list[str]:
    """The product's command line."""
    return [sys.executable, "-m", "cryptomarket", *words]


def simulator(folder: Path, *options: str) -> AbstractContextManager[Program]:
    """The simulated exchange, beside what is measured."""
    words = command("simulate", "--port", "0", *options)
    return program(words, folder / "simulator.log", core=OTHER_CORE, environment=environment())


@contextmanager
def embedded(folder: Path, *options: str, **settings: str) -> Iterator[Deployment]:
    """One process with everything in it, and SQLite: options of the simulator, settings over the defaults."""
    with ExitStack() as stack:
        exchange = stack.enter_context(simulator(folder, *options))
        given = {**_ROOM, "HOME": str(folder), **{name.upper(): value for name, value in settings.items()}}
        token = _token(folder, given)
        ws_url = exchange.said(r"simulator listening on (ws://\S+)")[1]
        own = environment(DERIBIT_WS_URL=ws_url, **given)
        log = folder / "gateway.log"
        gateway = stack.enter_context(program(command("serve"), log, core=SERVER_CORE, environment=own))
        port = int(gateway.said(r"health http://[^:]+:(\d+)/health")[1])
        ready = f"http://127.0.0.1:{port}/ready"
        # The catalogue first: names that differ in case alone are told apart by it.
        wait_until(lambda: httpx.get(ready).status_code == 200, "the gateway is ready")
        database = folder / "data" / "simulator-testing.sqlite3"
        yield Deployment(
            "embedded",
            port,
            (gateway,),
            token,
            ws_url.replace("ws://", "http://").removesuffix("/ws/api/v2"),
            lambda: _rows_of(database),
        )


FORMS: Mapping[str, Form] = {"embedded": embedded}
"""What can be measured, by name. Another form of the product is another line."""


@contextmanager
def playing(
    folder: Path, script: Script, seconds: float, *, form: Form = embedded, **settings: str
) -> Iterator[Deployment]:
    """The product with an exchange that says what the script has, for so many seconds from its start."""
    recording = record(script, seconds, folder / "recording.jsonl")
    with form(folder, "--play", str(recording), "--restamp", **settings) as running:
        yield running


def _token(folder: Path, settings: Mapping[str, str]) -> str:
    """The token of a new person, made before anything runs."""
    file = folder / "tokens"
    words = command("mint", "1", "--out", str(file))
    with program(words, folder / "mint.log", core=SERVER_CORE, environment=environment(**settings)) as minting:
        minting.process.wait(30)
    return file.read_text().split()[1]


def _rows_of(database: Path) -> int:
    """Ticks in the database. Reading does not stop the writer (SQLite, WAL)."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        return int(connection.execute("SELECT count(*) FROM crypto_price_tickers").fetchone()[0])
    finally:
        connection.close()
