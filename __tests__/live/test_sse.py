"""The response that carries a stream, whichever way it ends."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import pytest
from starlette.types import Message, Scope
from structlog.testing import capture_logs

from cryptomarket.live.mailbox import LogMailbox
from cryptomarket.live.seat import Reason, Seat
from cryptomarket.live.sse import StreamResponse

SCOPE: Scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "http_version": "1.1"}


class Connection:
    """A connection as a server gives it to the application. While it is `clogged`, nothing can be written."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.gone = asyncio.Event()
        self.flows = asyncio.Event()
        self.flows.set()
        self.wrote = asyncio.Event()

    async def receive(self) -> Message:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        await self.flows.wait()
        self.sent.append(message)
        self.wrote.set()

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)

    @property
    def is_whole(self) -> bool:
        return bool(self.sent) and not self.sent[-1].get("more_body", True)


class Play:
    """A stream of given chunks, which then waits until its seat is asked to leave."""

    def __init__(self, *chunks: bytes, farewell: bytes = b"") -> None:
        self.seat = Seat(LogMailbox(1000), "u")
        self.connection = Connection()
        self.ended = 0
        self.closed = False
        self._chunks = chunks
        self._farewell = farewell

    async def frames(self) -> AsyncGenerator[bytes, None]:
        try:
            for chunk in self._chunks:
                yield chunk
            await self.seat.left.wait()
            yield self._farewell
        finally:
            self.closed = True

    def end(self) -> None:
        self.ended += 1

    def start(self, farewell_s: float = 0.05) -> "asyncio.Task[None]":
        response = StreamResponse(lambda line: self.frames(), self.seat, farewell_s=farewell_s, ended=self.end)
        return asyncio.create_task(response(SCOPE, self.connection.receive, self.connection.send))


async def finished(task: "asyncio.Task[None]") -> None:
    async with asyncio.timeout(10):
        await task


async def test_chunks_are_written_as_they_come_and_the_end_is_whole() -> None:
    """Byte for byte, one write each, and a last one that ends the response."""
    play = Play(b"data: 1\n\n", b"data: 2\n\n", farewell=b"data: bye\n\n")
    running = play.start(farewell_s=10)
    play.seat.leave(Reason.DRAIN)
    await finished(running)
    assert play.connection.body == b"data: 1\n\ndata: 2\n\ndata: bye\n\n"
    assert play.connection.is_whole
    assert (play.ended, play.closed) == (1, True)
    headers = dict(play.connection.sent[0]["headers"])
    assert headers[b"content-type"] == b"text/event-stream; charset=utf-8"
    assert headers[b"cache-control"] == b"no-cache, no-transform"
    assert headers[b"x-accel-buffering"] == b"no"


async def test_a_reader_who_has_gone_ends_it() -> None:
    """The generator is closed and its seat given back at once."""
    play = Play(b"data: 1\n\n")
    running = play.start()
    async with asyncio.timeout(10):
        await play.connection.wrote.wait()
    play.connection.gone.set()
    await finished(running)
    assert (play.ended, play.closed) == (1, True)


async def test_a_reader_who_does_not_read_is_cut_off() -> None:
    """He can't be told; a little after he was asked to leave, everything of his is given back."""
    play = Play(b"data: 1\n\n", farewell=b"data: bye\n\n")
    play.connection.flows.clear()
    running = play.start()
    play.seat.leave(Reason.SLOW)
    await finished(running)
    assert play.connection.sent == []
    assert not play.connection.is_whole
    assert play.ended == 1


async def test_a_reader_who_reads_late_is_still_told() -> None:
    """Within the farewell, what is written reaches him."""
    play = Play(b"data: 1\n\n", farewell=b"data: bye\n\n")
    play.connection.flows.clear()
    running = play.start(farewell_s=10)
    play.seat.leave(Reason.SHUTDOWN)
    play.connection.flows.set()
    await finished(running)
    assert play.connection.body.endswith(b"data: bye\n\n")
    assert play.connection.is_whole


async def test_a_request_that_is_cancelled_leaves_nothing() -> None:
    """CancelledError passes, and undoes what was done on its way."""
    play = Play(b"data: 1\n\n")
    running = play.start()
    async with asyncio.timeout(10):
        await play.connection.wrote.wait()
    before = running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert before
    assert (play.ended, play.closed) == (1, True)


async def test_a_fault_of_the_stream_is_not_swallowed() -> None:
    """It reaches the server's edge, where it is logged; the seat is given back all the same."""
    seat = Seat(LogMailbox(1000), "u")
    connection = Connection()
    undone: list[str] = []

    async def broken() -> AsyncGenerator[bytes, None]:
        yield b"data: 1\n\n"
        raise ArithmeticError("a fault")

    async with aclosing(broken()) as frames:
        ended: Callable[[], None] = lambda: undone.append("ended")  # noqa: E731
        with pytest.raises(ArithmeticError, match="a fault"):
            await StreamResponse(lambda line: frames, seat, farewell_s=1, ended=ended)(
                SCOPE, connection.receive, connection.send
            )
    assert undone == ["ended"]
    assert not connection.is_whole


async def test_the_end_leaves_a_line() -> None:
    """Promise: why a stream ended, how many events were sent, and how long it was; also when the reader has left."""
    told, left = Play(b"data: 1\n\ndata: 2\n\n", farewell=b"data: bye\n\n"), Play(b"data: 1\n\n")
    with capture_logs() as lines:
        running = told.start(farewell_s=10)
        told.seat.leave(Reason.DRAIN)
        await finished(running)
        running = left.start()
        async with asyncio.timeout(10):
            await left.connection.wrote.wait()
        left.connection.gone.set()
        await finished(running)
    assert [(line["event"], line["reason"]) for line in lines] == [("stream ended", "drain"), ("stream ended", "left")]
    assert lines[0]["events"] == 3
    assert all(line["user_id"] == "u" and line["duration_s"] >= 0 for line in lines)
