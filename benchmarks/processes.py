"""Processes that are measured: started on a core of their own, asked what they cost, and ended."""

import os
import re
import resource
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

START_S = 30.0
END_S = 15.0
LOOK_S = 0.02
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE = CORES[0]
"""Where what is measured runs, alone."""
OTHER_CORE = CORES[-1]
"""Where everything else runs: readers, exchange, publisher, Redis. The same core on a machine that has only one."""


@contextmanager
def _on_core(core: int) -> Iterator[None]:
    """Children started inside run there, and so do theirs."""
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, CORES)


@dataclass(frozen=True)
class Program:
    """A running program and what it has written so far."""

    process: "subprocess.Popen[bytes]"
    log: Path
    ends_with: signal.Signals = signal.SIGTERM

    @property
    def tree(self) -> list[int]:
        """Its process id and those of its descendants."""
        parents: dict[int, list[int]] = {}
        for entry in Path("/proc").iterdir():
            fields = _stat(int(entry.name)) if entry.name.isdigit() else None
            if fields is not None:
                parents.setdefault(int(fields[1]), []).append(int(entry.name))
        found = [self.process.pid]
        for pid in found:
            found += parents.get(pid, [])
        return found

    @property
    def cpu_s(self) -> float:
        """User and system time of all of it, ended descendants included (proc(5), /proc/pid/stat: utime to cstime)."""
        total = 0
        for pid in self.tree:
            fields = _stat(pid)
            if fields is not None:
                total += sum(map(int, fields[11:15]))
        return total / _TICKS_PER_S

    @property
    def own_bytes(self) -> int:
        """Memory of all of it, of pages that several share only its share (proc(5), /proc/pid/smaps_rollup: Pss)."""
        total = 0
        for pid in self.tree:
            try:
                rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue
            found = re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
            total += int(found[1]) * 1024 if found else 0
        return total

    @property
    def resident_bytes(self) -> int:
        """Resident memory of all of it; pages that several share are counted in each."""
        total = 0
        for pid in self.tree:
            try:
                total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES
            except FileNotFoundError:
                continue
        return total

    def said(self, pattern: str, *, within_s: float = START_S) -> "re.Match[str]":
        """Waits until it has written something. Raises RuntimeError with its words when it ends, or takes too long."""
        ends_s = time.monotonic() + within_s
        while True:
            text = self.log.read_text(errors="replace")
            found = re.search(pattern, text)
            if found is not None:
                return found
            if self.process.poll() is not None or time.monotonic() > ends_s:
                raise RuntimeError(f"{self.process.args!r} did not say {pattern!r}:\n{text[-4000:]}")
            time.sleep(LOOK_S)

    def end(self) -> None:
        """Asks it to end, and ends it when it does not."""
        self.process.send_signal(self.ends_with)
        try:
            self.process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _stat(pid: int) -> list[str] | None:
    """The fields after the name, of which the first is the state."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


@contextmanager
def program(
    arguments: Sequence[str],
    log: Path,
    *,
    core: int,
    environment: Mapping[str, str] | None = None,
    user: tuple[int, int] | None = None,
    ends_with: signal.Signals = signal.SIGTERM,
) -> Iterator[Program]:
    """A program that runs on a core until the block ends, and writes into `log`. `user` is whose it is, and his group,
    when he is somebody else.
    """
    with log.open("wb") as output, _on_core(core):
        process = subprocess.Popen(
            list(arguments),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if environment is None else dict(environment),
            cwd=log.parent,
            user=user[0] if user is not None else None,
            group=user[1] if user is not None else None,
            extra_groups=[] if user is not None else None,
        )
    running = Program(process, log, ends_with)
    try:
        yield running
    finally:
        running.end()


def piped(arguments: Sequence[str], *, core: int) -> "subprocess.Popen[str]":
    """A program that is talked to by its standard input and output."""
    with _on_core(core):
        return subprocess.Popen(list(arguments), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)


def environment(**more: str) -> dict[str, str]:
    """What a program of this checkout is given, and nothing of what happens to be set here."""
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).resolve().parents[1]), **more}


def free_port() -> int:
    """A port on loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def wait_for_port(port: int) -> None:
    """Returns once somebody listens there. Raises TimeoutError."""

    def listens() -> bool:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            return False
        return True

    wait_until(listens, f"port {port} listens")


def wait_until(condition: Callable[[], bool], what: str, *, within_s: float = START_S) -> None:
    """Looks again and again. Raises TimeoutError."""
    ends_s = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > ends_s:
            raise TimeoutError(f"{what}: not within {within_s:g} s")
        time.sleep(LOOK_S)


def take_all_files() -> None:
    """Every child may open as many files as the system lets us."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def kernel_tcp_bytes() -> int:
    """What the kernel holds in buffers of all TCP sockets, in whole pages (/proc/net/sockstat)."""
    found = re.search(r"^TCP:.* mem (\d+)", Path("/proc/net/sockstat").read_text(), re.MULTILINE)
    return int(found[1]) * _PAGE_BYTES if found else 0
