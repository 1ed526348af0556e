"""The line of a real connection: what is written, who is slow, who is gone."""

import asyncio
import logging
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import uvicorn
import uvloop
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn._types import ASGISendCallable

from __tests__.live.world import eventually
from cryptomarket.live.mailbox import LogMailbox
from cryptomarket.live.seat import Seat
from cryptomarket.live.sse import StreamResponse
from cryptomarket.live.transport import Line, LineProtocol, chunk_of, line_of

Serve = Callable[[Line | None, Send], Awaitable[None]]
DEADLINE_S = 10


@asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[int]:
    """A server whose every request is answered by `serve`; its port."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await serve(line_of(scope), send)

    async with serving_application(application) as port:
        yield port


@asynccontextmanager
async def serving_application(application: ASGIApp) -> AsyncIterator[int]:
    """A server of an application; its port."""
    config = uvicorn.Config(application, http=LineProtocol, port=0, log_level="critical", lifespan="off")
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    try:
        await eventually(lambda: server.started)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = server.force_exit = True
        await running


async def asked(port: int, version: str = "1.1") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection that has sent its request and read the head of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET / HTTP/{version}\r\nHost: gateway\r\n\r\n".encode())
    async with asyncio.timeout(DEADLINE_S):
        await reader.readuntil(b"\r\n\r\n")
    return reader, writer


async def finish(send: Send, body: bytes = b"") -> None:
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def test_what_is_written_past_asgi_comes_between_its_first_and_last_bytes() -> None:
    """One well-formed body in the order of writing (RFC 9112, 7.1)."""

    async def serve(line: Line | None, send: Send) -> None:
        assert line is not None
        await send({"type": "http.response.body", "body": b"first ", "more_body": True})
        line.write(chunk_of(b"second ") + chunk_of(b"third "))
        await finish(send, b"last")

    async with serving(serve) as port:
        reader, writer = await asked(port)
        async with asyncio.timeout(DEADLINE_S):
            body = await reader.readuntil(b"0\r\n\r\n")
        writer.close()
    assert body == b"6\r\nfirst \r\n7\r\nsecond \r\n6\r\nthird \r\n4\r\nlast\r\n0\r\n\r\n"


async def test_a_connection_without_chunks_has_no_line() -> None:
    """HTTP/1.0 knows no chunks: such a response goes through ASGI."""
    found = []

    async def serve(line: Line | None, send: Send) -> None:
        found.append(line)
        await finish(send, b"all")

    async with serving(serve) as port:
        _, writer = await asked(port, "1.0")
        writer.close()
        await eventually(lambda: len(found) == 1)
    assert found == [None]


@pytest.mark.parametrize("headers", [[], [(b"content-length", b"15")]])
async def test_a_connection_without_chunks_gets_none(headers: list[tuple[bytes, bytes]]) -> None:
    """Promise: HTTP/1.0 gets the bytes as they are, and their end is the connection's (RFC 9112, 6.1 and 6.3)."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
        await finish(send, b"last\n\n")

    async with serving_application(application) as port, asyncio.timeout(DEADLINE_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.0\r\nHost: gateway\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.read()
        writer.close()
    assert b"chunked" not in head
    assert body == b"data: 1\n\nlast\n\n"


async def test_what_is_left_with_the_line_ends_the_response_when_the_application_has_returned() -> None:
    """Promise: a stream keeps nothing of what stands around its request, and its connection serves the next one."""
    order: list[str] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        line = line_of(scope)
        assert line is not None
        headers = scope["headers"]
        assert dict(headers)[b"host"] == b"gateway"

        async def rest(send: ASGISendCallable) -> None:
            assert set(scope) == {"type", "method"}
            assert headers == []
            order.append("rest")
            await send({"type": "http.response.body", "body": b"all", "more_body": False})

        await send({"type": "http.response.start", "status": 200, "headers": []})
        line.rest = rest
        order.append("returns")

    async with serving_application(application) as port, asyncio.timeout(DEADLINE_S):
        reader, writer = await asked(port)
        assert await reader.readuntil(b"0\r\n\r\n") == b"3\r\nall\r\n0\r\n\r\n"
        writer.write(b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n")
        assert (await reader.readuntil(b"0\r\n\r\n")).endswith(b"3\r\nall\r\n0\r\n\r\n")
        writer.close()
    assert order == ["returns", "rest"] * 2


async def test_what_is_left_with_the_line_is_cleared_up_when_the_application_fails() -> None:
    """Promise: a fault after the head was written costs the connection, and no seat stays behind."""
    cleared = asyncio.Event()

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        line = line_of(scope)
        assert line is not None

        async def rest(send: ASGISendCallable) -> None:
            assert line.is_lost
            cleared.set()

        await send({"type": "http.response.start", "status": 200, "headers": []})
        line.rest = rest
        raise ArithmeticError("a fault")

    async with serving_application(application) as port, asyncio.timeout(DEADLINE_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n")
        await cleared.wait()
        with suppress(ConnectionError):
            await reader.read()
        writer.close()


async def test_a_fault_before_anything_was_left_with_the_line_is_the_servers_to_answer() -> None:
    """Promise: an application that fails is a 500, and not a connection that is cut."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        raise ArithmeticError("a fault")

    async with serving_application(application) as port, asyncio.timeout(DEADLINE_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 500")
        writer.close()


async def test_a_line_that_is_lost_is_empty() -> None:
    """Promise: waiting for a reader who goes meanwhile, or has gone, is no fault."""
    waited = asyncio.Event()

    async def serve(line: Line | None, send: Send) -> None:
        assert line is not None
        line.write(chunk_of(b"z" * 8_000_000))
        lost = asyncio.Event()
        line.on_lost = lost.set
        await line.emptied(DEADLINE_S)
        await lost.wait()
        await line.emptied(DEADLINE_S)
        line.mark(1000)
        waited.set()

    async with serving(serve) as port, asyncio.timeout(DEADLINE_S):
        _, writer = await asked(port)
        writer.transport.abort()
        await waited.wait()


async def test_who_is_gone_is_known_at_once() -> None:
    """Without a write, and without anybody asking."""
    lost = asyncio.Event()
    begun = asyncio.Event()

    async def serve(line: Line | None, send: Send) -> None:
        assert line is not None
        line.on_lost = lost.set
        begun.set()
        await lost.wait()
        assert line.is_lost

    async with serving(serve) as port, asyncio.timeout(DEADLINE_S):
        _, writer = await asked(port)
        await begun.wait()
        writer.close()
        await lost.wait()


async def test_who_asks_again_and_leaves_is_known_too() -> None:
    """Promise: a request that waits behind a stream (RFC 9112, 9.3.2) does not hide that its reader has gone."""
    lost, begun, disconnected = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        line = line_of(scope)
        assert line is not None
        line.on_lost = lost.set
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await receive()
        begun.set()
        while not lost.is_set():
            line.write(chunk_of(b"more"))
            # sleep: a turn of the loop; nothing is read any more, so that only a write finds out
            await asyncio.sleep(0)
        assert (await receive())["type"] == "http.disconnect"
        disconnected.set()

    async with serving_application(application) as port, asyncio.timeout(DEADLINE_S):
        _, writer = await asked(port)
        await begun.wait()
        writer.write(b"GET /second HTTP/1.1\r\nHost: gateway\r\n\r\n")
        await writer.drain()
        writer.close()
        await lost.wait()
        await disconnected.wait()


async def test_who_breaks_off_is_no_fault_of_the_gateway(caplog: pytest.LogCaptureFixture) -> None:
    """Promise: a stream whose connection is closing ends in silence, also where nobody was told of the end yet."""
    closed = asyncio.Event()

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        async def frames(line: Line | None) -> AsyncGenerator[bytes, None]:
            assert line is not None
            yield b"data: 1\n\n"
            line.abort()
            yield b"data: 2\n\n"

        seat = Seat(LogMailbox(1000), "u")
        await StreamResponse(frames, seat, farewell_s=1.0, ended=closed.set)(scope, receive, send)

    async with serving_application(application) as port, asyncio.timeout(DEADLINE_S):
        logger = logging.getLogger("uvicorn.error")
        logger.setLevel(logging.ERROR)
        logger.addHandler(caplog.handler)
        _, writer = await asked(port)
        await closed.wait()
        writer.close()
    logger.removeHandler(caplog.handler)
    assert [record.getMessage() for record in caplog.records] == []


async def test_who_does_not_read_lags_and_is_given_up() -> None:
    """The line says so once, above its mark; what waits is counted, and gone with the connection."""
    lags = asyncio.Event()
    ended = asyncio.Event()
    held = []

    async def serve(line: Line | None, send: Send) -> None:
        assert line is not None
        line.on_lag = lags.set
        line.mark(100_000)
        chunk = chunk_of(b"x" * 60_000)
        while not lags.is_set():
            line.write(chunk)
            # sleep: a turn of the loop, in which the kernel is offered what was written
            await asyncio.sleep(0)
        held.append((line.lags, line.buffered_bytes))
        await line.emptied(0.05)
        await asyncio.wait_for(lost_of(line), DEADLINE_S)
        ended.set()

    async def lost_of(line: Line) -> None:
        await eventually(lambda: line.is_lost)

    async with serving(serve) as port:
        own = socket.create_connection(("127.0.0.1", port))
        own.sendall(b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n")
        async with asyncio.timeout(DEADLINE_S):
            await ended.wait()
        own.close()
    [(lagged, buffered_bytes)] = held
    assert lagged
    assert 50_000 < buffered_bytes < 200_000


def read_all(own: socket.socket) -> None:
    while own.recv(65_536):
        pass


async def test_a_response_can_give_its_connection_up() -> None:
    """Promise: also a response that knows no line can: nothing that its reader did not read is kept for him, and the
    server takes no answer for an unfinished one.
    """
    ended, lines = asyncio.Event(), list[Line]()

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        line = line_of(scope)
        assert line is not None
        lines.append(line)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"z" * 8_000_000, "more_body": True})
        assert line.buffered_bytes
        await scope["extensions"]["http.response.abort"]()
        assert (await receive())["type"] == "http.disconnect"
        ended.set()

    async with serving_application(application) as port, asyncio.timeout(DEADLINE_S):
        own = socket.create_connection(("127.0.0.1", port))
        own.sendall(b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n")
        await ended.wait()
        with pytest.raises(ConnectionResetError):
            read_all(own)
        own.close()
    assert lines[0].is_lost
    assert lines[0].buffered_bytes == 0


async def test_so_can_one_whose_reader_has_left() -> None:
    """Promise: what is gone already can be given up, once more and again, without a complaint."""
    ended = asyncio.Event()

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while (await receive())["type"] != "http.disconnect":
            pass
        for _ in range(2):
            await scope["extensions"]["http.response.abort"]()
        ended.set()

    async with serving_application(application) as port, asyncio.timeout(DEADLINE_S):
        own = socket.create_connection(("127.0.0.1", port))
        own.sendall(b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n")
        own.close()
        await ended.wait()


async def test_who_reads_in_the_end_gets_everything() -> None:
    """Within its time, what waits leaves before the line is let go."""
    emptied = asyncio.Event()

    async def serve(line: Line | None, send: Send) -> None:
        assert line is not None
        line.write(chunk_of(b"y" * 8_000_000))
        await finish(send)
        await line.emptied(DEADLINE_S)
        assert line.buffered_bytes == 0
        emptied.set()

    async with serving(serve) as port, asyncio.timeout(DEADLINE_S):
        reader, writer = await asked(port)
        body = await reader.readuntil(b"\r\n")
        assert int(body, 16) == 8_000_000
        assert len(await reader.readexactly(8_000_002)) == 8_000_002
        await emptied.wait()
        writer.close()


@pytest.mark.parametrize(
    "promise",
    [
        test_what_is_written_past_asgi_comes_between_its_first_and_last_bytes,
        test_what_is_left_with_the_line_ends_the_response_when_the_application_has_returned,
        test_what_is_left_with_the_line_is_cleared_up_when_the_application_fails,
        test_a_line_that_is_lost_is_empty,
        test_who_is_gone_is_known_at_once,
        test_who_does_not_read_lags_and_is_given_up,
        test_a_response_can_give_its_connection_up,
        test_so_can_one_whose_reader_has_left,
        test_who_reads_in_the_end_gets_everything,
    ],
)
def test_so_it_is_with_the_transports_of_the_gateway(promise: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Promise: the gateway's own loop, whose transports are stricter, keeps what the standard library's keeps."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(promise())
