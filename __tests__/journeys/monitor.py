"""A listener to everything that a Redis is asked."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Monitor:
    """Everything that a Redis is asked, and what its scripts do, line by line (redis.io/commands/monitor)."""

    def __init__(self, port: int) -> None:
        self.text = bytearray()
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.sendall(b"MONITOR\r\n")
        self._thread = threading.Thread(target=self._listen, name="monitor")
        self._thread.start()

    def _listen(self) -> None:
        while heard := self._socket.recv(1 << 20):
            self.text += heard

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._socket.close()

    @property
    def lines(self) -> list[bytes]:
        return bytes(self.text).split(b"\r\n")


@contextmanager
def monitor(port: int) -> Iterator[Monitor]:
    """One that listens until the block ends."""
    listening = Monitor(port)
    try:
        yield listening
    finally:
        listening.close()
