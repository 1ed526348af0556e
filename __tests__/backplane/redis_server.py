"""A real redis-server of its own, on a socket in a temporary folder."""

import signal
import subprocess
import time
from pathlib import Path

from redis import Redis
from redis.exceptions import ConnectionError as LostConnection


class RedisServer:
    def __init__(self, folder: Path) -> None:
        self._socket = folder / "redis.sock"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self._socket}"

    def client(self) -> Redis:
        return Redis(unix_socket_path=str(self._socket), socket_timeout=5, socket_connect_timeout=2)

    def start(self) -> None:
        command = ["redis-server", "--port", "0", "--unixsocket", str(self._socket), "--save", "", "--dir"]
        self._process = subprocess.Popen([*command, str(self._folder)], stdout=subprocess.DEVNULL)
        deadline_s = time.monotonic() + 10
        with self.client() as client:
            while True:
                try:
                    client.ping()
                except LostConnection:
                    assert time.monotonic() < deadline_s, "redis-server did not start"
                    time.sleep(0.01)  # sleep: a socket that does not exist yet tells nobody when it does
                else:
                    return

    def stop(self, with_signal: signal.Signals = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(with_signal)
            self._process.wait(10)
            self._process = None

    def keep_data(self) -> None:
        """Writes the data down, so that the next start has them."""
        with self.client() as client:
            client.save()
