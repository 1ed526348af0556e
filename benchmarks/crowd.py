"""Readers by the thousand: the project's own load generator (`load/crowd.c`), and what it answers."""

import select
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from benchmarks.processes import OTHER_CORE, piped

BUILD = Path(__file__).parent / "build"
PATIENCE_S = 150.0
OPEN_LIMIT_S = 120.0

Answer = TypeVar("Answer")


class Target(msgspec.Struct, frozen=True):
    """What a stream asks for, and as whom."""

    path: str
    token: str | None = None


class Latency(msgspec.Struct, frozen=True):
    """A distribution of microseconds."""

    count: int
    p50: int
    p90: int
    p99: int
    p999: int
    max: int


class Checks(msgspec.Struct, frozen=True, kw_only=True):
    """Whether what came was whole: `breaks` in a ticker's chain, events that came twice or late, streams that ended."""

    opened: int
    refused: int
    ended: int
    breaks: int
    doubled: int
    slow_events: int
    slow_breaks: int
    slow_doubled: int


class Opened(Checks, frozen=True, kw_only=True):
    """All streams were asked for; `awaiting` of them have heard nothing yet."""

    open_s: float
    awaiting: int


class Measured(Checks, frozen=True, kw_only=True):
    """One window of those that read. `latency_us` is by the field that it is counted from."""

    window_s: float
    events: int
    bytes: int
    least: int
    most: int
    cpu_s: float
    latency_us: dict[str, Latency]


class Resumed(Checks, frozen=True, kw_only=True):
    """A crowd came back: how long after its reconnection began each had all that it had missed, and was live."""

    all_s: float
    awaiting: int
    events: int
    complete_us: Latency


class Crowd:
    """Talks to one load generator. Its methods raise TimeoutError when no answer comes."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self._process = piped(arguments, core=OTHER_CORE)

    def _ask(self, command: str, kind: type[Answer]) -> Answer:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        if not select.select([self._process.stdout], [], [], PATIENCE_S)[0]:
            raise TimeoutError(f"the load generator did not answer {command!r}")
        return msgspec.json.decode(self._process.stdout.readline(), type=kind)

    def open(self, limit_s: float = OPEN_LIMIT_S) -> Opened:
        """Opens every stream. Raises RuntimeError when one is refused or silent."""
        opened = self.try_open(limit_s)
        if opened.awaiting:
            raise RuntimeError(f"not every stream has heard something: {opened}")
        return opened

    def try_open(self, limit_s: float) -> Opened:
        """Opens every stream; some may have heard nothing when `limit_s` is over. Raises RuntimeError when one is
        refused.
        """
        opened = self._ask(f"open {limit_s}", Opened)
        if opened.refused or opened.ended:
            raise RuntimeError(f"not every stream was opened: {opened}")
        return opened

    def warm(self, seconds: float) -> Checks:
        """Reads on."""
        return self._ask(f"warm {seconds}", Checks)

    def measure(self, seconds: float) -> Measured:
        """Reads on, and counts."""
        return self._ask(f"measure {seconds}", Measured)

    def stall(self, percent: float) -> Checks:
        """So many stop reading."""
        return self._ask(f"stall {percent}", Checks)

    def resume(self, away_s: float) -> Resumed:
        """All are cut, and come back."""
        return self._ask(f"resume {away_s}", Resumed)

    def rest(self) -> Checks:
        """All go."""
        return self._ask("rest", Checks)

    def end(self) -> None:
        """The generator ends."""
        self._process.kill()
        self._process.wait()


@contextmanager
def crowd(port: int, streams: int, targets: Sequence[Target], folder: Path) -> Iterator[Crowd]:
    """A load generator until the block ends; stream i takes the i-th target, over and over."""
    file = folder / "targets"
    file.write_text("".join(f"{target.path} {target.token or ''}".rstrip() + "\n" for target in targets))
    found = Crowd([str(BUILD / "crowd"), "127.0.0.1", str(port), str(streams), str(file)])
    try:
        yield found
    finally:
        found.end()
