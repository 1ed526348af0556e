"""The fast path: a stream's frames go straight to its transport, past ASGI.

The protocol class offers each connection's `Line` to the application as an ASGI extension (ASGI 3.0, "Extensions").
A response that finds it there starts by ASGI, leaves what is to follow with the line, and returns: a stream lives for
hours, and need not keep all that stands around a request. Where there is none, in another server, in a test client, or
because HTTP/1.0 has no chunks, the response goes through ASGI all the way.
"""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack, suppress
from typing import Any, cast

from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, ASGISendEvent, HTTPScope, Scope
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

EXTENSION = "cryptomarket.line"
# Gives the connection up, for responses that know no line.
ABORT = "http.response.abort"
Rest = Callable[[ASGISendCallable], Awaitable[None]]
HIGH_WATER_BYTES = 65_536
# What is left is thrown away, and the other side is told by a reset (socket(7)).
_NOT_AT_ALL = struct.pack("ii", 1, 0)


def chunk_of(data: bytes) -> bytes:
    """One chunk of a chunked body (RFC 9112, 7.1). Chunks may be joined, so one serves every reader."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def _nobody() -> None:
    """Nobody wants to know."""


class Line:
    """The way to one reader past ASGI. `write` takes whole chunks of the body, and never waits.

    `on_lost` is called once the connection is gone, `on_lag` when its buffer has filled beyond the water mark.
    `rest` is awaited once the application has returned from a response that it has begun, and ends it.
    """

    __slots__ = ("_flow", "_transport", "on_lag", "on_lost", "rest", "write")

    def __init__(self, transport: asyncio.Transport, flow: FlowControl) -> None:
        self._transport = transport
        self._flow = flow
        self.write: Callable[[bytes], None] = transport.write
        self.on_lost: Callable[[], None] = _nobody
        self.on_lag: Callable[[], None] = _nobody
        self.rest: Rest | None = None

    @property
    def is_lost(self) -> bool:
        """Whether the connection is gone, or about to be."""
        return self._transport.is_closing()

    @property
    def buffered_bytes(self) -> int:
        """What the kernel has not taken yet."""
        return self._transport.get_write_buffer_size()

    @property
    def lags(self) -> bool:
        """Whether the buffer is above the water mark."""
        return self._flow.write_paused

    def mark(self, bound_bytes: int) -> None:
        """Puts the water mark well below the bound at which the reader is slow."""
        self._limit(min(HIGH_WATER_BYTES, bound_bytes // 2))

    def lose(self) -> None:
        """The connection is gone."""
        self.on_lost()

    def abort(self) -> None:
        """Gives the connection up, and with it what it still holds."""
        self._transport.abort()

    async def lost(self) -> None:
        """Returns once the server knows that the connection is gone, and takes no answer for an unfinished one."""
        self.abort()
        # sleep: the turn of the loop in which a connection that closes is told so
        await asyncio.sleep(0)

    async def reset(self) -> None:
        """The same; and the other side is told by a reset, lest what it has looks like a whole answer there."""
        if not self.is_lost:
            endpoint = self._transport.get_extra_info("socket")
            endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NOT_AT_ALL)
        await self.lost()

    async def emptied(self, within_s: float) -> None:
        """Returns once the kernel has everything; gives the connection up when that takes too long."""
        self._limit(0)
        try:
            async with asyncio.timeout(within_s):
                await self._flow.drain()
        except TimeoutError:
            self.abort()
        else:
            self._limit(None)

    def _limit(self, high_bytes: int | None) -> None:
        # uvloop's transports refuse it once the connection is gone, and asyncio's don't.
        with suppress(RuntimeError):
            self._transport.set_write_buffer_limits(high=high_bytes)


class LineProtocol(HttpToolsProtocol):
    """An HTTP/1 connection that offers its line in the scope of each request, and a way to give the connection up.

    A request that comes while another is answered waits for its turn (RFC 9112, 9.3.2). What happens to the connection
    is told to the one that is answered.
    """

    # Beside the thirty attributes of the library, whose instances share one table of names: a longer one is each
    # connection's own, and takes a kilobyte and a half.
    __slots__ = ("_answered", "_line")

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the library has it
        """Somebody has come."""
        self._line: Line | None = None
        self._answered: RequestResponseCycle | None = None
        super().connection_made(transport)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        # Offered here and nowhere else, so that there is no line without its rest.
        line = Line(self.transport, self.flow)
        offered: dict[str, Any] = {EXTENSION: line, ABORT: line.reset}
        cycle.scope["extensions"] = offered
        self._answered, self._line = cycle, line
        is_chunked = cycle.scope["http_version"] == "1.1"
        super()._start_asgi_task(cycle, _with_rest(app, line) if is_chunked else _unchunked(cycle, app))

    def pause_writing(self) -> None:
        """The transport's buffer is above the mark (asyncio, "Streaming protocols")."""
        super().pause_writing()
        if self._line is not None:
            self._line.on_lag()

    def connection_lost(self, exc: Exception | None) -> None:
        """The other side is gone, or was given up."""
        if self._line is not None:
            self._line.lose()
        if self._answered is not None and not self._answered.response_complete:
            # The library tells the request that came last.
            self._answered.disconnected = True
            self._answered.message_event.set()
        super().connection_lost(exc)


def _with_rest(app: ASGI3Application, line: Line) -> ASGI3Application:
    """The application, and then what it has left with the line."""

    async def answering(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        try:
            with ExitStack() as failing:
                failing.callback(_give_up, line)
                await app(scope, receive, send)
                failing.pop_all()
        finally:
            # Also when the line was given up: it is the rest that clears up.
            if line.rest is not None:
                rest, line.rest = line.rest, None
                _forget(cast("HTTPScope", scope))
                await rest(send)

    return answering


def _give_up(line: Line) -> None:
    """A response that was left with the line goes no further; any other is the server's to end."""
    if line.rest is not None:
        line.abort()


def _forget(scope: HTTPScope) -> None:
    """Lets go of what the application knew of a request; the server still asks for the method. The headers, where
    secrets are, are a list that the protocol has, too.
    """
    cast("list[tuple[bytes, bytes]]", scope["headers"]).clear()
    for name in [name for name in scope if name not in {"type", "method"}]:
        del scope[name]  # type: ignore[misc]  # keys of a typed dictionary


def _unchunked(cycle: RequestResponseCycle, app: ASGI3Application) -> ASGI3Application:
    """The library sends chunks to whoever was told no length. HTTP/1.0 knows none: there the end of the connection is
    the end of the body (RFC 9112, 6.1 and 6.3).
    """

    async def answering(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        async def plain(message: ASGISendEvent) -> None:
            if message["type"] == "http.response.start":
                if all(name.lower() != b"content-length" for name, _ in message.get("headers", ())):
                    cycle.chunked_encoding = False
            elif message["type"] == "http.response.body" and not (
                cycle.chunked_encoding or cycle.expected_content_length
            ):
                cycle.expected_content_length = len(message.get("body", b""))
            await send(message)

        await app(scope, receive, plain)

    return answering


def line_of(scope: Mapping[str, Any]) -> Line | None:
    """The line of a request whose response can be written to it: one in chunks."""
    return _offered(scope) if scope.get("http_version") == "1.1" else None


def _offered(scope: Mapping[str, Any]) -> Line | None:
    line = (scope.get("extensions") or {}).get(EXTENSION)
    return line if isinstance(line, Line) else None
