"""Readers that cost so little that a thousand of them fit into a test, and one that can stop reading."""

import asyncio
import socket
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from __tests__.journeys.gateway import Gateway, Json, exact

SMALL_SEGMENT_BYTES = 536
"""What every host accepts (RFC 9293, 3.7.1)."""


@dataclass(frozen=True)
class Block:
    """One event as it came, undecoded: its name, id and data, and when it came, in microseconds since the epoch."""

    name: str
    id: str
    text: str
    came_us: int

    @property
    def data(self) -> Json:
        """The data, decimals exact."""
        return exact(self.text)


class LightReader(asyncio.Protocol):
    """One stream over a socket of its own, parsed by hand: the status, and then every event."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._raw = bytearray()
        self._body = bytearray()
        self._transport: asyncio.Transport | None = None
        self._came = asyncio.Event()
        self.status: int | None = None
        self.retries_ms: list[int] = []
        self.blocks: list[Block] = []
        self.counts: Counter[str] = Counter()
        self.ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asks at once."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Takes what came."""
        self._raw += data
        if self.status is None:
            head, found, rest = bytes(self._raw).partition(b"\r\n\r\n")
            if not found:
                return
            self.status = int(head.split(b" ", 2)[1])
            self._raw[:] = rest
        self._unchunk()
        self._split()
        self._ring()

    def connection_lost(self, exc: Exception | None) -> None:
        """The other side is gone."""
        self.ended = True
        self._ring()

    def _ring(self) -> None:
        self._came.set()
        self._came = asyncio.Event()

    def _unchunk(self) -> None:
        """Chunked transfer coding (RFC 9112, 7.1)."""
        while (line_end := self._raw.find(b"\r\n")) >= 0:
            size = int(self._raw[:line_end], 16)
            if size == 0:
                self.leave()
                return
            if len(self._raw) < line_end + size + 4:
                return
            self._body += self._raw[line_end + 2 : line_end + 2 + size]
            del self._raw[: line_end + size + 4]

    def _split(self) -> None:
        came_us = time.time_ns() // 1000
        *whole, rest = bytes(self._body).split(b"\n\n")
        self._body[:] = rest
        for text in whole:
            fields = dict(line.split(": ", 1) for line in text.decode().split("\n") if line)
            if "retry" in fields:
                self.retries_ms.append(int(fields["retry"]))
            if "data" in fields:
                self.counts[fields.get("event", "message")] += 1
                # What a thousand readers have heard is kept once.
                data = sys.intern(fields["data"])
                self.blocks.append(Block(fields.get("event", "message"), fields.get("id", ""), data, came_us))

    def named(self, *names: str) -> list[Block]:
        """The events of these names."""
        return [block for block in self.blocks if block.name in names]

    @property
    def last_id(self) -> str:
        """The id to come back with."""
        return next((block.id for block in reversed(self.blocks) if block.id), "")

    async def moved(self) -> None:
        """Waits until more has come, or it has ended."""
        if not self.ended:
            await self._came.wait()

    async def until_told(self, name: str, count: int = 1, *, within_s: float = 30) -> None:
        """Waits until so many events of a name have come."""
        async with asyncio.timeout(within_s):
            while self.counts[name] < count:
                assert not self.ended, f"the stream ended with {self.status}: {self.blocks[-1:]}"
                await self.moved()

    async def until_ended(self, *, within_s: float = 30) -> None:
        """Waits until the other side has ended it."""
        async with asyncio.timeout(within_s):
            while not self.ended:
                await self.moved()

    def stop_reading(self) -> None:
        """From now on, what comes stays in the network's buffers."""
        assert self._transport is not None
        self._transport.pause_reading()

    def read_again(self) -> None:
        """Takes up reading."""
        assert self._transport is not None
        self._transport.resume_reading()

    def leave(self) -> None:
        """Goes away without a word."""
        if self._transport is not None:
            self._transport.abort()


def request_of(gate: Gateway, headers: Mapping[str, str], query: Mapping[str, str]) -> bytes:
    """The bytes that open a stream."""
    target = "/api/v2/sse/connection" + (f"?{urlencode(query)}" if query else "")
    lines = [f"GET {target} HTTP/1.1", f"Host: {urlsplit(gate.url).netloc}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def light_reader(
    gate: Gateway,
    token: str,
    query: Mapping[str, str] | None = None,
    *,
    last_id: str = "",
    buffer_bytes: int | None = None,
) -> LightReader:
    """Opens a stream; `buffer_bytes` is what the network keeps for this reader when he doesn't read."""
    headers = {"Authorization": f"Bearer {token}"} | ({"Last-Event-ID": last_id} if last_id else {})
    reader = LightReader(request_of(gate, headers, query or {}))
    address = urlsplit(gate.url)
    own = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    own.setblocking(False)
    if buffer_bytes is not None:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        # The other side's buffer grows with the segment, which is 64 kB on loopback.
        own.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SMALL_SEGMENT_BYTES)
    loop = asyncio.get_running_loop()
    try:
        await loop.sock_connect(own, (address.hostname, address.port))
    except OSError:
        own.close()
        raise
    await loop.create_connection(lambda: reader, sock=own)
    return reader


@asynccontextmanager
async def lightly_reading(gate: Gateway, token: str, **query: str) -> AsyncIterator[LightReader]:
    """One such stream while the block runs."""
    reader = await light_reader(gate, token, query)
    try:
        yield reader
    finally:
        reader.leave()


def chain_of(blocks: list[Block], ticker: str) -> Iterator[tuple[int | None, int]]:
    """(prev_seq, seq) of a ticker's publications, in order of coming."""
    for block in blocks:
        if block.name in {"message", "status", "gap"}:
            data = block.data
            if data["ticker"] == ticker:
                yield data["prev_seq"], data["seq"]
