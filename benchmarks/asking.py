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
from http import HTTPStatus

from benchmarks.processes import CORES, OTHER_CORE

_BUFFER_BYTES = 1 << 20
_TAIL_BYTES = 400
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
    """A bulk answer: its size in bytes, the last of them, how long it took, and the id that its server gave it."""

    size: int
    tail: bytes
    took_s: float
    request_id: str


class Connection:
    """One connection that is kept open (RFC 9112); it knows as much of HTTP as our own servers say. Nothing is copied
    on the way: who asks shares a core with databases.
    """

    def __init__(self, port: int, headers: dict[str, str]) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._head = "".join(f"{name}: {value}\r\n" for name, value in {"Host": "localhost", **headers}.items())
        self._buffer = bytearray(_BUFFER_BYTES)

    def get(self, path: str) -> tuple[int, memoryview]:
        """Status and body of an answer that tells its length; the body lasts until the next question."""
        status, head, begin, have = self._asked(path)
        end = begin + int(_header(head, b"content-length") or 0)
        if end > len(self._buffer):
            # A new one: who holds a former body may go on reading it.
            self._buffer = self._buffer[:have] + bytes(end - have)
        view = memoryview(self._buffer)
        while have < end:
            have += self._some(view[have:end])
        return status, view[begin:end]

    def has(self, path: str, least_bytes: int) -> bool:
        """Whether there is an answer of at least so many bytes."""
        status, body = self.get(path)
        return status == HTTPStatus.OK and len(body) >= least_bytes

    def read_through(self, path: str, headers: str = "") -> Read:
        """A whole answer in chunks, of which only the end is kept. Raises ValueError for any other."""
        began_s = time.perf_counter()
        status, head, begin, have = self._asked(path, headers)
        is_chunked = _header(head, b"transfer-encoding") == b"chunked"
        length = int(_header(head, b"content-length") or 0)
        view = memoryview(self._buffer)
        if status != HTTPStatus.OK:
            raise ValueError(f"{path}: {status} {bytes(view[begin:have][:200])!r}")
        total, tail = have - begin, bytes(view[max(begin, have - _TAIL_BYTES) : have])
        while not tail.endswith(b"\r\n0\r\n\r\n") if is_chunked else total < length:
            count = self._some(view)
            total += count
            tail = (tail + bytes(view[max(0, count - _TAIL_BYTES) : count]))[-_TAIL_BYTES:]
        took_s = time.perf_counter() - began_s
        return Read(total, tail, took_s, (_header(head, b"x-request-id") or b"").decode())

    def close(self) -> None:
        self._socket.close()

    def _asked(self, path: str, headers: str = "") -> tuple[int, bytes, int, int]:
        """Status and head of the answer, where its body begins in the buffer, and how much the buffer has."""
        self._socket.sendall(f"GET {path} HTTP/1.1\r\n{self._head}{headers}\r\n".encode())
        view, have = memoryview(self._buffer), 0
        while (end := self._buffer.find(b"\r\n\r\n", 0, have)) < 0:
            have += self._some(view[have:])
        head = bytes(view[:end])
        return int(head[9:12]), head.lower(), end + 4, have

    def _some(self, into: memoryview) -> int:
        count = self._socket.recv_into(into)
        if count == 0:
            raise ConnectionResetError("the server has closed the connection")
        return count


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
    port: int,
    headers: dict[str, str],
    path: Callable[[int], str],
    *,
    rate: float,
    seconds: float,
    least_bytes: int,
    threads: int = 8,
) -> Answered:
    """Question after question at an even pace, whoever is still waiting. An answer of fewer bytes is none."""
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
            is_good = connection.has(path(number), least_bytes)
            took_ms.append((time.perf_counter() - due_s) * 1000 if is_good else float("nan"))

    return _together(ask, threads)


def saturating(
    port: int,
    headers: dict[str, str],
    path: Callable[[int], str],
    *,
    seconds: float,
    least_bytes: int,
    threads: int = 8,
) -> Answered:
    """As many questions as are answered, from so many who each wait for theirs. An answer of fewer bytes is none."""
    ends_s = time.perf_counter() + seconds

    def ask_from(first: int) -> list[float]:
        connection, number = Connection(port, headers), first
        took_ms: list[float] = []
        while (began_s := time.perf_counter()) < ends_s:
            is_good = connection.has(path(number), least_bytes)
            took_ms.append((time.perf_counter() - began_s) * 1000 if is_good else float("nan"))
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
