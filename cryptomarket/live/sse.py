"""The response that carries a stream: opened, written, and ended whichever way it ends."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import ExitStack, aclosing, contextmanager
from functools import cache, partial

import structlog
from sse_starlette import EventSourceResponse
from sse_starlette.sse import AppStatus
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send
from uvicorn._types import ASGISendCallable

from cryptomarket.live.seat import Seat, nothing
from cryptomarket.live.transport import Line, line_of

log = structlog.get_logger(__name__)

MEDIA_TYPE = "text/event-stream"
HEADERS = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}

# The hub ends streams when this process stops; the library must not cut them off before they were told.
AppStatus.enable_automatic_graceful_drain = False


class StreamResponse(Response):
    """A response that writes `frames` until they end, or the reader has gone, or he is asked to leave and has
    not read it `farewell_s` later. What `ended` undoes is undone in each of these cases.

    `frames` is given the connection's line where there is one: what it writes there, it does not yield. Then the
    application is left as soon as the head is written, and the rest is the server's (`Line.rest`).
    """

    def __init__(
        self,
        frames: Callable[[Line | None], AsyncGenerator[bytes, None]],
        seat: Seat,
        *,
        farewell_s: float,
        ended: Callable[[], None],
    ) -> None:
        super().__init__(headers=HEADERS, media_type=MEDIA_TYPE)
        self._frames = frames
        self._writing = _Writing(seat, farewell_s, ended)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Writes the stream (ASGI 3.0). The headers are the library's, which knows how a stream is started."""
        line = line_of(scope)
        with ExitStack() as stack:
            stack.callback(self._writing.end)
            if line is None:
                await self._writing.write(self._frames(None), scope, receive, send)
            else:
                await send({"type": "http.response.start", "status": 200, "headers": _headers()})
                line.rest = partial(self._writing.write_fast, self._frames(line), line)
                stack.pop_all()


class _Writing:
    """A stream that is being written. It outlives the response that began it."""

    __slots__ = ("_began_s", "_ended", "_event_count", "_farewell_s", "_seat")

    def __init__(self, seat: Seat, farewell_s: float, ended: Callable[[], None]) -> None:
        self._seat = seat
        self._farewell_s = farewell_s
        self._ended = ended
        self._event_count = 0
        self._began_s = asyncio.get_running_loop().time()

    async def write(self, frames: AsyncGenerator[bytes, None], scope: Scope, receive: Receive, send: Send) -> None:
        """Lets the library write, until all is written, or the reader is asked to leave and does not read it."""

        async def counted(message: Message) -> None:
            await send(message)
            self._count(message.get("body", b""))

        async with aclosing(frames):
            response = _response(frames)
            writing = asyncio.create_task(response(scope, receive, counted))
            leaving = asyncio.create_task(self._seat.left.wait())
            try:
                await asyncio.wait((writing, leaving), return_when=asyncio.FIRST_COMPLETED)
                # A reader who does not read can't be told; the server closes his connection when this returns.
                await asyncio.wait((writing,), timeout=self._farewell_s)
            finally:
                leaving.cancel()
                writing.cancel()
                await asyncio.wait((writing, leaving))
            if not writing.cancelled():
                writing.result()

    def _count(self, body: bytes) -> None:
        self._event_count += body.count(b"\n\n")

    async def write_fast(self, frames: AsyncGenerator[bytes, None], line: Line, send: ASGISendCallable) -> None:
        """Writes the first and the last bytes through the server; between them, the hub writes to the line."""
        line.on_lost = self._seat.go
        try:
            with _patience(self._seat, line, self._farewell_s):
                async with aclosing(frames):
                    async for frame in frames:
                        if line.is_lost:
                            break
                        await send({"type": "http.response.body", "body": frame, "more_body": True})
                        self._count(frame)
                if line.is_lost:
                    await line.lost()
                    return
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            await line.emptied(self._farewell_s)
        finally:
            self.end()

    def end(self) -> None:
        """It is over: says so, and undoes what was done for it."""
        log.info(
            "stream ended",
            user_id=self._seat.owner_id,
            # Without a reason of ours, the reader has left.
            reason=str(self._seat.reason or "left"),
            events=self._event_count + self._seat.told.events,
            duration_s=round(asyncio.get_running_loop().time() - self._began_s, 3),
        )
        self._ended()


@cache
def _headers() -> list[tuple[bytes, bytes]]:
    return _response(_no_frames()).raw_headers


def _response(frames: AsyncGenerator[bytes, None]) -> EventSourceResponse:
    response = EventSourceResponse(frames, headers=HEADERS, ping=0, sep="\n")
    # Whether the connection stays is the server's word (RFC 9112, 9.6), and on HTTP/2 nobody's (RFC 9113, 8.2.2).
    del response.headers["connection"]
    return response


async def _no_frames() -> AsyncGenerator[bytes, None]:
    for frame in list[bytes]():
        yield frame


@contextmanager
def _patience(seat: Seat, line: Line, farewell_s: float) -> Iterator[None]:
    """Gives the line up when its reader, once asked to leave, has not read the reason in time."""
    timers = []

    def leaving() -> None:
        timers.append(asyncio.get_running_loop().call_later(farewell_s, line.abort))

    seat.on_leave = leaving
    if seat.reason is not None:
        leaving()
    try:
        yield
    finally:
        seat.on_leave = nothing
        for timer in timers:
            timer.cancel()
