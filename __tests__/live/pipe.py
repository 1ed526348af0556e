"""A connection without a network: its transport keeps what is written until the reader takes it."""

import asyncio
from collections.abc import Callable

from uvicorn.protocols.http.flow_control import FlowControl

from cryptomarket.live.transport import Line


class Pipe(asyncio.Transport):
    """Holds chunks until they are taken. Above its high water mark, it says that it lags."""

    def __init__(self, arrived: Callable[[], None]) -> None:
        super().__init__()
        self._arrived = arrived
        self._held: list[bytes] = []
        self._high_bytes = 65_536
        self._flow = FlowControl(self)
        self.is_closed = False
        self.line = Line(self, self._flow)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self.is_closed:
            return
        self._held.append(bytes(data))
        self._arrived()
        self._judge()

    def get_write_buffer_size(self) -> int:
        return sum(map(len, self._held))

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._high_bytes = 65_536 if high is None else high
        self._judge()

    def _judge(self) -> None:
        if self.get_write_buffer_size() > self._high_bytes:
            # Once, as a transport does, until it has fallen to the low water mark again.
            if not self._flow.write_paused:
                self._flow.pause_writing()
                self.line.on_lag()
        elif self.get_write_buffer_size() <= self._high_bytes // 4:
            self._flow.resume_writing()

    def take(self) -> list[bytes]:
        """The bodies of the writes that wait; each is one or more whole chunks (RFC 9112, 7.1)."""
        taken, self._held = self._held, []
        self._judge()
        return [_body_of(data) for data in taken]

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        """The reader is gone, or was given up: what waits is lost."""
        if not self.is_closed:
            self.is_closed = True
            self._held.clear()
            self._flow.resume_writing()
            self.line.lose()


def _body_of(data: bytes) -> bytes:
    body = b""
    while data:
        size, _, rest = data.partition(b"\r\n")
        length = int(size, 16)
        assert rest[length : length + 2] == b"\r\n", "a write holds whole chunks"
        body += rest[:length]
        data = rest[length + 2 :]
    return body
