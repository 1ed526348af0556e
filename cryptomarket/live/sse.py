"""The response that carries a stream: opened, written, and ended whichever way it ends."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, aclosing

import structlog
from sse_starlette import EventSourceResponse
from sse_starlette.sse import AppStatus
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from cryptomarket.live.hub import Seat

log = structlog.get_logger(__name__)

MEDIA_TYPE = "text/event-stream"
HEADERS = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}

# The hub ends streams when this process stops; the library must not cut them off before they were told.
AppStatus.enable_automatic_graceful_drain = False


class StreamResponse(Response):
    """A response that writes `frames` until they end, or the reader has gone, or he is asked to leave and has
    not read it `farewell_s` later. What `ended` undoes is undone in each of these cases.
    """

    def __init__(
        self, frames: AsyncGenerator[bytes, None], seat: Seat, *, farewell_s: float, ended: Callable[[], None]
    ) -> None:
        super().__init__(headers=HEADERS, media_type=MEDIA_TYPE)
        self._frames = frames
        self._seat = seat
        self._farewell_s = farewell_s
        self._ended = ended
        self._event_count = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Writes the stream (ASGI 3.0). The headers are the library's, which knows how a stream is started."""

        async def counted(message: Message) -> None:
            await send(message)
            self._event_count += message.get("body", b"").count(b"\n\n")

        async with AsyncExitStack() as stack:
            stack.callback(self._ended)
            stack.callback(self._tell_end, asyncio.get_running_loop().time())
            frames = await stack.enter_async_context(aclosing(self._frames))
            response = EventSourceResponse(frames, headers=HEADERS, ping=0, sep="\n")
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

    def _tell_end(self, began_s: float) -> None:
        log.info(
            "stream ended",
            user_id=self._seat.owner_id,
            # Without a reason of ours, the reader has left.
            reason=str(self._seat.reason or "left"),
            events=self._event_count,
            duration_s=round(asyncio.get_running_loop().time() - began_s, 3),
        )
