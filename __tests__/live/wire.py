"""A client that reads bytes: one connection, whose chunks are undone as they come (RFC 9112, 7.1), and nothing else."""

import asyncio
import socket
from typing import cast

from __tests__.live.world import DEADLINE_S

SMALL_BYTES = 4096


def small_listener() -> socket.socket:
    """A place to listen at whose connections' buffers are as small as the kernel has them."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL_BYTES)
    listener.bind(("127.0.0.1", 0))
    return listener


class WireClient(asyncio.Protocol):
    """Takes down what comes: `head`, then `body` without its chunk framing; `is_whole` once the last chunk has come."""

    def __init__(self) -> None:
        self.head = b""
        self.body = b""
        self.is_whole = False
        self.is_over = asyncio.Event()
        self._raw = b""
        self._transport: asyncio.Transport | None = None
        self._came = asyncio.Event()

    @classmethod
    async def connected(cls, port: int, target: str, headers: dict[str, str]) -> "WireClient":
        """A connection that has sent its request; as small a buffer for what comes as the kernel has."""
        own = socket.socket()
        own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BYTES)
        own.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(own, ("127.0.0.1", port))
        transport, client = await loop.create_connection(cls, sock=own)
        lines = [f"GET {target} HTTP/1.1", "Host: gateway", *(f"{name}: {value}" for name, value in headers.items())]
        transport.write("\r\n".join([*lines, "", ""]).encode())
        return client

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Another loop's transports are no subclass of the standard library's.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._raw += data
        if not self.head:
            head, end, rest = self._raw.partition(b"\r\n\r\n")
            if not end:
                return
            self.head, self._raw = head, rest
            assert b"transfer-encoding: chunked" in head.lower(), head
        self._undo_chunks()
        self._notice()

    def _undo_chunks(self) -> None:
        bodies = []
        at = 0
        while (end := self._raw.find(b"\r\n", at)) >= 0:
            size = int(self._raw[at:end], 16)
            following = end + 2 + size + 2
            if len(self._raw) < following:
                break
            assert not self.is_whole, "nothing follows the last chunk"
            assert self._raw[following - 2 : following] == b"\r\n"
            bodies.append(self._raw[end + 2 : following - 2])
            self.is_whole = size == 0
            at = following
        self._raw = self._raw[at:]
        self.body += b"".join(bodies)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_over.set()
        self._notice()

    def _notice(self) -> None:
        self._came.set()
        self._came = asyncio.Event()

    @property
    def headers(self) -> dict[bytes, bytes]:
        """The status line by no name, and the fields of the head but for the time of day."""
        status, *fields = self.head.split(b"\r\n")
        told = {name.lower(): value for name, _, value in (field.partition(b": ") for field in fields)}
        told.pop(b"date", None)
        return {b"": status} | told

    @property
    def events(self) -> list[bytes]:
        """The events that are whole, as they came."""
        return self.body.split(b"\n\n")[:-1]

    @property
    def last_id(self) -> str | None:
        """The last id that came with a whole event."""
        for event in reversed(self.events):
            for line in event.split(b"\n"):
                if line.startswith(b"id: "):
                    return line[4:].decode()
        return None

    @property
    def has_ended(self) -> bool:
        """Whether nothing comes any more."""
        return self.is_whole or self.is_over.is_set()

    def stall(self) -> None:
        """Reads nothing from now on."""
        if self._transport is not None and not self.is_over.is_set():
            self._transport.pause_reading()

    def reads_on(self) -> None:
        """Reads again."""
        if self._transport is not None and not self.is_over.is_set():
            self._transport.resume_reading()

    def close(self) -> None:
        """Goes away, whatever is still on its way."""
        assert self._transport is not None
        self._transport.abort()

    async def more(self) -> None:
        """Returns when something has come, or nothing comes any more."""
        async with asyncio.timeout(DEADLINE_S):
            if not self.has_ended:
                await self._came.wait()
