"""Plain ASGI, as lean as it can be: the same bytes for all, but a task woken and a `send()` for each stream.

python -m benchmarks.rivals.plain PORT FEED_PORT
"""

import asyncio
import sys

import uvicorn
from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, Scope

KEPT = 1000


class Plain:
    """An ASGI application. What was told is kept once for all; who is behind gets what he missed in one piece."""

    def __init__(self, feed_port: int) -> None:
        self._feed_port = feed_port
        self._told: list[bytes] = []
        self._gone = 0
        self._waiting: list[asyncio.Future[None]] = []
        self._feed: asyncio.Server | None = None

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """One stream, or the server's life."""
        if scope["type"] == "lifespan":
            await receive()
            self._feed = await asyncio.start_server(self._hear, "127.0.0.1", self._feed_port)
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        headers = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache")]
        await send({"type": "http.response.start", "status": 200, "headers": headers, "trailers": False})
        streaming = asyncio.create_task(self._stream(send))
        await receive()
        await receive()
        streaming.cancel()

    async def _stream(self, send: ASGISendCallable) -> None:
        place = self._gone + len(self._told)
        while True:
            waiting = self._told[max(0, place - self._gone) :]
            if waiting:
                place = self._gone + len(self._told)
                body = waiting[0] if len(waiting) == 1 else b"".join(waiting)
                await send({"type": "http.response.body", "body": body, "more_body": True})
            else:
                came = asyncio.get_running_loop().create_future()
                self._waiting.append(came)
                await came

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                self._told.append(await reader.readuntil(b"\n\n"))
            except asyncio.IncompleteReadError:
                writer.close()
                return
            if len(self._told) > KEPT:
                del self._told[: KEPT // 2]
                self._gone += KEPT // 2
            waiting, self._waiting = self._waiting, []
            for came in waiting:
                if not came.done():
                    came.set_result(None)


def main() -> None:
    """The command."""
    port, feed_port = map(int, sys.argv[1:])
    uvicorn.run(Plain(feed_port), port=port, backlog=2048, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
