"""The response that carries a stream: opened, written, and ended whichever way it ends."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, aclosing, contextmanager
from typing import Any

import structlog
from sse_starlette import EventSourceResponse
from sse_starlette.sse import AppStatus
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

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

    `frames` is given the connection's line where there is one: what it writes there, it does not yield.
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
        self._seat = seat
        self._farewell_s = farewell_s
        self._ended = ended
        self._event_count = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Writes the stream (ASGI 3.0). The headers are the library's, which knows how a stream is started."""
        line = line_of(scope)

        async def counted(message: Message) -> None:
            await send(message)
            self._event_count += message.get("body", b"").count(b"\n\n")

        async with AsyncExitStack() as stack:
            stack.callback(self._ended)
            stack.callback(self._tell_end, asyncio.get_running_loop().time())
            frames = await stack.enter_async_context(aclosing(self._frames(line)))
            response = EventSourceResponse(frames, headers=HEADERS, ping=0, sep="\n")
            if line is None:
                await self._write(response(scope, receive, counted))
            else:
                await self._write_fast(frames, response.raw_headers, line, counted)

    async def _write(self, response: Coroutine[Any, Any, None]) -> None:
        """Lets the library write."""
        writing = asyncio.create_task(response)
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

    async def _write_fast(
        self, frames: AsyncGenerator[bytes, None], headers: list[tuple[bytes, bytes]], line: Line, send: Send
    ) -> None:
        """Writes the first and the last bytes through ASGI; between them, the hub writes to the line."""
        line.on_lost = self._seat.go
        with _patience(self._seat, line, self._farewell_s):
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            async for frame in frames:
                if line.is_lost:
                    break
                await send({"type": "http.response.body", "body": frame, "more_body": True})
            if line.is_lost:
                await line.lost()
                return
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        await line.emptied(self._farewell_s)

    def _tell_end(self, began_s: float) -> None:
        log.info(
            "stream ended",
            user_id=self._seat.owner_id,
            # Without a reason of ours, the reader has left.
            reason=str(self._seat.reason or "left"),
            events=self._event_count + self._seat.told.events,
            duration_s=round(asyncio.get_running_loop().time() - began_s, 3),
        )


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
