"""Questions over HTTP from threads: at an even pace, or each as soon as the one before is answered."""

import os
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.processes import CORES, OTHER_CORE

_BUFFER_BYTES = 1 << 20
TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Answered:
    """How long answers took from the moment at which they were due, in milliseconds; and how many were none."""

    count: int
    mean_ms: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    failed: int


@dataclass(frozen=True, slots=True)
class Read:
    """A bulk answer: its size in bytes, the last of them, and how long it took."""

    size: int
    tail: bytes
    took_s: float


class Connection:
    """One connection that is kept open (RFC 9112); it knows as much of HTTP as our own servers say."""

    def __init__(self, port: int, headers: dict[str, str]) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._head = "".join(f"{name}: {value}\r\n" for name, value in {"Host": "localhost", **headers}.items())
        self._buffer = bytearray(_BUFFER_BYTES)

    def get(self, path: str) -> tuple[int, bytes]:
        """Status and body of an answer that tells its length."""
        status, head, rest = self._asked(path)
        length = int(_header(head, b"content-length") or 0)
        body = bytearray(rest)
        while len(body) < length:
            body += self._some()
        return status, bytes(body)

    def read_through(self, path: str, headers: str = "") -> Read:
        """A whole answer in chunks, of which only the end is kept. Raises ValueError for any other."""
        began_s = time.perf_counter()
        status, head, rest = self._asked(path, headers)
        is_chunked = _header(head, b"transfer-encoding") == b"chunked"
        length = int(_header(head, b"content-length") or 0)
        if status != 200:
            raise ValueError(f"{path}: {status} {rest[:200]!r}")
        total, tail = len(rest), rest[-400:]
        while not tail.endswith(b"\r\n0\r\n\r\n") if is_chunked else total < length:
            piece = self._some()
            total += len(piece)
            tail = (tail + piece[-400:])[-400:]
        return Read(total, tail, time.perf_counter() - began_s)

    def close(self) -> None:
        self._socket.close()

    def _asked(self, path: str, headers: str = "") -> tuple[int, bytes, bytes]:
        self._socket.sendall(f"GET {path} HTTP/1.1\r\n{self._head}{headers}\r\n".encode())
        found = b""
        while b"\r\n\r\n" not in found:
            found += self._some()
        head, _, rest = found.partition(b"\r\n\r\n")
        return int(head[9:12]), head.lower(), rest

    def _some(self) -> bytes:
        count = self._socket.recv_into(self._buffer)
        if count == 0:
            raise ConnectionResetError("the server has closed the connection")
        return bytes(self._buffer[:count])


def _header(head: bytes, name: bytes) -> bytes | None:
    for line in head.split(b"\r\n"):
        if line.startswith(name + b":"):
            return line.partition(b":")[2].strip()
    return None


@contextmanager
def on_the_other_core() -> Iterator[None]:
    """Who asks takes nothing from who answers."""
    os.sched_setaffinity(0, {OTHER_CORE})
    try:
        yield
    finally:
        os.sched_setaffinity(0, CORES)


def paced(
    port: int, headers: dict[str, str], path: Callable[[int], str], *, rate: float, seconds: float, threads: int = 8
) -> Answered:
    """Question after question at an even pace, whoever is still waiting."""
    count, begins_s = int(rate * seconds), time.perf_counter() + 0.2
    numbers = iter(range(count))
    lock = threading.Lock()

    def ask() -> list[float]:
        connection = Connection(port, headers)
        took_ms: list[float] = []
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                connection.close()
                return took_ms
            due_s = begins_s + number / rate
            time.sleep(max(0.0, due_s - time.perf_counter()))
            status, _ = connection.get(path(number))
            took_ms.append((time.perf_counter() - due_s) * 1000 if status == 200 else float("nan"))

    return _together(ask, threads)


def saturating(
    port: int, headers: dict[str, str], path: Callable[[int], str], *, seconds: float, threads: int = 8
) -> Answered:
    """As many questions as are answered, from so many who each wait for theirs."""
    ends_s = time.perf_counter() + seconds

    def ask_from(first: int) -> list[float]:
        connection, number = Connection(port, headers), first
        took_ms: list[float] = []
        while (began_s := time.perf_counter()) < ends_s:
            status, _ = connection.get(path(number))
            took_ms.append((time.perf_counter() - began_s) * 1000 if status == 200 else float("nan"))
            number += threads
        connection.close()
        return took_ms

    firsts = iter(range(threads))
    return _together(lambda: ask_from(next(firsts)), threads)


def _together(ask: Callable[[], list[float]], threads: int) -> Answered:
    with on_the_other_core(), ThreadPoolExecutor(threads) as pool:
        asking = [pool.submit(ask) for _ in range(threads)]
        took_ms = [one for each in asking for one in each.result()]
    good = sorted(one for one in took_ms if one == one)  # noqa: PLR0124 - not a number is not itself
    if not good:
        raise ValueError("nothing was answered")
    return Answered(
        count=len(good),
        mean_ms=statistics.fmean(good),
        p50_ms=good[len(good) // 2],
        p99_ms=good[min(len(good) - 1, int(len(good) * 0.99))],
        max_ms=good[-1],
        failed=len(took_ms) - len(good),
    )
