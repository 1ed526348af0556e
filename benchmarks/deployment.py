"""The whole product as it is measured: real processes, reached over loopback, with the simulator as their exchange."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import httpx
import msgspec

from benchmarks.crowd import Target
from benchmarks.market import Script, record
from benchmarks.processes import OTHER_CORE, SERVER_CORE, Program, environment, program, wait_until

ANSWER_S = 60.0
"""How long an exchange on a full core may take to say what it has sent."""

STREAM_PATH = "/api/v2/sse/connection"

ROOM = {
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
    # What is measured is the stream; who measures jobs says how often.
    "COLLECT_INDEX_PRICES_S": "0",
    "COLLECT_TICKERS_S": "0",
}
_SILENCE: list[dict[str, object]] = [{"kind": "silence", "channels": ["ticker.*", "deribit_price_index.*"]}]


@dataclass(frozen=True)
class Shape:
    """What is measured of the product, where it is several processes: `measured` roles are alone on the first core, and
    theirs is the cost. `apis` processes serve readers at one port; `helpers` are modules that run beside them.
    An exchange that is silent at first says no prices before it is told to. `prepare` is done to the database, by its
    address, before anything runs on it.
    """

    apis: int = 1
    measured: tuple[str, ...] = ("api",)
    is_silent_at_first: bool = False
    helpers: tuple[str, ...] = ()
    prepare: Callable[[str], None] | None = None


SERVING = Shape()
"""What serving readers costs; who hears and who stores are beside it."""

SERVING_TWICE = Shape(apis=2)
"""The same, with two processes at one port."""

ALL_THE_WAY = Shape(measured=("api", "ingest", "write"))
"""All the product's processes on one core."""

RESTING = Shape(helpers=("worker", "beat"))
"""With whoever runs the jobs, where that is not the gateway itself."""

FOLLOWING = Shape(measured=("api", "ingest"), is_silent_at_first=True)
"""What the feed costs whoever serves readers, beside who hears it."""

TAKING_IN = Shape(apis=0, measured=("ingest", "write"), is_silent_at_first=True)
"""What hearing and storing costs; nobody reads."""


class Exchange:
    """The simulated exchange, and what it is told to do."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.ws_url = program.said(r"simulator listening on (ws://\S+)")[1]
        self._url = self.ws_url.replace("ws://", "http://").removesuffix("/ws/api/v2") + "/simulator"

    def sent(self) -> int:
        """How many notifications it has sent."""
        return int(self._state().notifications_sent)

    def open_channels(self) -> int:
        """How many channels are listened to."""
        return len(self._state().channels)

    def fall_silent(self) -> None:
        """No prices any more."""
        httpx.post(f"{self._url}/faults", json=_SILENCE).raise_for_status()

    def speak(self) -> None:
        """Prices again."""
        httpx.delete(f"{self._url}/faults").raise_for_status()

    def _state(self) -> "_State":
        return msgspec.json.decode(httpx.get(f"{self._url}/state", timeout=ANSWER_S).content, type=_State)


class _State(msgspec.Struct):
    notifications_sent: int
    channels: dict[str, int]


@dataclass(frozen=True)
class Deployment:
    """A gateway that runs. `programs` are those of its own processes that are measured, `beside` everything else that
    it needs, both by name; the exchange is neither. `stored_rows` counts the ticks that are written down. Without an
    api, nobody can come to `port`.
    """

    port: int
    programs: Mapping[str, Program]
    beside: Mapping[str, Program]
    token: str
    exchange: Exchange
    stored_rows: Callable[[], int]
    database_url: str

    @property
    def cpu_s(self) -> float:
        """What all that is measured has used."""
        return sum(one.cpu_s for one in self.programs.values())

    @property
    def beside_cpu_s(self) -> float:
        """What the rest of it has used."""
        return sum(one.cpu_s for one in self.beside.values())

    @property
    def resident_bytes(self) -> int:
        """What all that is measured holds."""
        return sum(one.resident_bytes for one in self.programs.values())

    def target(self, tickers: str, query: str = "") -> Target:
        """A stream of these tickers."""
        return Target(f"{STREAM_PATH}?tickers={tickers}{query}", self.token)


class Form(Protocol):
    """A way to start the product, ready when the block begins: with options of the simulator, and settings over the
    defaults.
    """

    def __call__(
        self, folder: Path, *options: str, shape: Shape = SERVING, **settings: str
    ) -> AbstractContextManager[Deployment]: ...


def command(*words: str) -> list[str]:
    """The product's command line."""
    return [sys.executable, "-m", "cryptomarket", *words]


@contextmanager
def simulated(folder: Path, *options: str, silent: bool) -> Iterator[Exchange]:
    """The simulated exchange, beside what is measured."""
    words = command("simulate", "--port", "0", *options)
    if silent:
        script = folder / "silence.json"
        script.write_bytes(msgspec.json.encode(_SILENCE))
        words += ["--faults", str(script)]
    with program(words, folder / "simulator.log", core=OTHER_CORE, environment=environment()) as running:
        yield Exchange(running)


def over(settings: Mapping[str, str], given: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The environment of a process: `given` over `settings`, and a home of its own."""
    return {**settings, "HOME": str(folder), **{name.upper(): value for name, value in given.items()}}


def wait_until_ready(port: int, *, but: str | None = None) -> None:
    """Returns when every part of a process is ready, `but` one that need not be. Raises TimeoutError."""

    def is_ready() -> bool:
        try:
            answer = httpx.get(f"http://127.0.0.1:{port}/ready", timeout=10)
        except httpx.TransportError:
            return False
        parts = msgspec.json.decode(answer.content, type=_Readiness).parts
        return all(part.ready for name, part in parts.items() if name != but)

    wait_until(is_ready, f"port {port} is ready")


class _Part(msgspec.Struct):
    ready: bool


class _Readiness(msgspec.Struct):
    parts: dict[str, _Part]


def minted(folder: Path, settings: Mapping[str, str]) -> str:
    """The token of a new person, made before anything runs. Raises RuntimeError."""
    file = folder / "tokens"
    log = folder / "mint.log"
    words = command("mint", "1", "--out", str(file))
    with program(words, log, core=SERVER_CORE, environment=environment(**settings)) as minting:
        if minting.process.wait(30) != 0:
            raise RuntimeError(log.read_text())
    return file.read_text().split()[1]


@contextmanager
def playing(
    folder: Path, script: Script, seconds: float, *, form: Form, shape: Shape = SERVING, **settings: str
) -> Iterator[Deployment]:
    """The product with an exchange that says what the script has, for so many seconds from its start."""
    recording = record(script, seconds, folder / "recording.jsonl")
    with form(folder, "--play", str(recording), "--restamp", shape=shape, **settings) as running:
        yield running
