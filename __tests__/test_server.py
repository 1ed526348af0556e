"""The process around the parts: what it says first, what it answers to nonsense, and how it is told to stop."""

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from uuid import UUID

import pytest
import uvicorn
import uvloop
from starlette.types import Receive, Scope, Send

from cryptomarket.backplane.memory import MemoryBus
from cryptomarket.clock import Clock
from cryptomarket.doorkeeper import Doorkeeper
from cryptomarket.errors import StartRefused
from cryptomarket.live.hub import Hub
from cryptomarket.live.mailbox import LatestMailbox
from cryptomarket.live.seat import Reason, Seat
from cryptomarket.market.instruments import Exchange
from cryptomarket.server import (
    COLLECTOR_THRESHOLDS,
    Server,
    Wire,
    _settle_memory,
    banner,
    config_of,
    exchange_address,
    serve_gateway,
    tell_unless_abandoned,
    wire_of,
)
from cryptomarket.settings import Settings


@pytest.fixture
async def hub() -> Hub:
    """A hub that nothing is published to."""
    bus = MemoryBus("epoch", is_newest=lambda name, token: True, log_capacity=100, log_hard_capacity=100)
    return Hub(await bus.head(), Clock.system())


def test_the_banner_says_whose_prices_these_are() -> None:
    """Promise: which exchange is behind, where to look, and a line to try; simulated prices are called so."""
    told = banner(Settings(), "ws://127.0.0.1:8004/ws/api/v2")
    assert "exchange: simulator" in told
    assert "SIMULATED" in told
    assert "http://127.0.0.1:{port}/docs" in told
    assert "-H 'X-Client-Id: demo-1' -H 'X-Secret-key: demo-1-secret'" in told
    real = banner(Settings(exchange=Exchange.PRODUCTION), "wss://www.deribit.com/ws/api/v2")
    assert "SIMULATED" not in real
    assert "demo-1" not in real
    assert "wss://www.deribit.com" in real


def test_where_the_exchange_is_is_known_without_asking_it() -> None:
    """Promise: a banner names an address, also that of a simulator which somebody else has started."""
    assert exchange_address(Settings(simulator_port=9)) == "ws://127.0.0.1:9/ws/api/v2"
    assert exchange_address(Settings(exchange=Exchange.TEST)) == "wss://test.deribit.com/ws/api/v2"
    assert exchange_address(Settings(deribit_ws_url="ws://here/ws")) == "ws://here/ws"


def test_an_address_with_colons_is_bracketed() -> None:
    """Promise: the addresses of the banner can be used as they are, also on IPv6 (RFC 3986, 3.2.2)."""
    assert "http://[::1]:{port}/health" in banner(Settings(app_host="::1"), "")


async def test_a_stop_tells_the_streams_first(hub: Hub) -> None:
    """Promise: told to stop, it ends every stream with `shutdown` and takes no new one; told twice, it hurries."""
    seat = Seat(LatestMailbox(), "u_1")
    hub.admit(seat)
    server = Server(uvicorn.Config(lambda: None), hub, "")
    server.stop()
    assert seat.reason is Reason.SHUTDOWN
    assert (server.should_exit, server.force_exit) == (True, False)
    late = Seat(LatestMailbox(), "u_2")
    hub.admit(late)
    assert late.reason is Reason.SHUTDOWN
    server.stop()
    assert server.force_exit


@asynccontextmanager
async def listening(
    hub: Hub, app: Callable[[Scope, Receive, Send], Awaitable[None]], wire: type[Wire] = Wire
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to a server of ours that serves `app`; all of it within ten seconds."""
    config = uvicorn.Config(app, port=0, http=wire, ws="none", lifespan="off", log_config=None, log_level=None)
    server = Server(config, hub, "")
    async with asyncio.timeout(10):
        serving = asyncio.create_task(server.serve())
        while not server.started:  # noqa: ASYNC110  the server tells nobody
            await asyncio.sleep(0.01)  # sleep: between two looks
        reader, writer = await asyncio.open_connection("127.0.0.1", server.servers[0].sockets[0].getsockname()[1])
        yield reader, writer
        writer.close()
        server.stop()
        await serving


async def test_an_answer_that_nobody_reads_ends_with_the_process(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    """Promise: what a stop finds unread is broken off, without the last chunk and without a traceback."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send({"type": "http.response.body", "body": bytes(2**20), "more_body": True})

    keeper = Doorkeeper(app, clock=Clock.system())
    config = uvicorn.Config(
        keeper, port=0, http=Wire, ws="none", lifespan="off", log_config=None, timeout_graceful_shutdown=0
    )
    server = Server(config, hub, "", keeper)
    async with asyncio.timeout(10):
        serving = asyncio.create_task(server.serve())
        while not server.started:  # noqa: ASYNC110  the server tells nobody
            await asyncio.sleep(0.01)  # sleep: between two looks
        reader, writer = await asyncio.open_connection("127.0.0.1", server.servers[0].sockets[0].getsockname()[1])
        writer.write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
        server.stop()
        await serving
        told = b""
        with suppress(ConnectionError):
            while piece := await reader.read(2**16):
                told = piece
        writer.close()
    assert not told.endswith(b"\r\n0\r\n\r\n")
    assert "Traceback" not in caplog.text
    assert "ASGI" not in caplog.text


async def test_what_is_no_http_gets_a_problem(hub: Hub) -> None:
    """Promise: bytes that are no HTTP are answered with a problem document and an id, and hung up on."""

    async def app(scope: object, receive: object, send: object) -> None:
        pytest.fail("nothing of it is a request")

    async with listening(hub, app) as (reader, writer):
        writer.write(b"HELO mail.example\r\n\r\n")
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    problem = json.loads(body)
    assert problem["status"] == 400
    assert str(UUID(problem["request_id"])) == problem["request_id"]
    assert f"x-request-id: {problem['request_id']}".encode() in head


async def test_an_endless_head_is_refused(hub: Hub) -> None:
    """Promise: whoever has not said who he is costs no more memory than a head may have."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    async with listening(hub, app) as (reader, writer):
        for _ in range(2):
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 30_000 + b"\r\n\r\n")
            assert b" 204 " in await reader.readuntil(b"\r\n\r\n")
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nX: ")
        writer.write(b"a" * 65_000)
        await writer.drain()
        writer.write(b"a" * 1000)
        answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"65536" in answer


@pytest.mark.parametrize(("sent", "answer"), [(b"", b""), (b"GET / HTTP/1.1\r\nHost: x\r\n", b"HTTP/1.1 400 ")])
async def test_a_head_that_does_not_come_is_not_waited_for(hub: Hub, sent: bytes, answer: bytes) -> None:
    """Promise: who connects and says nothing, or not all, holds a connection for some seconds and no longer."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        pytest.fail("nothing of it is a request")

    async with listening(hub, app, wire_of(0.2)) as (reader, writer):
        writer.write(sent)
        told = await reader.read()
    assert told.startswith(answer)
    assert bool(told) is bool(answer)


def test_how_long_a_connection_is_waited_for_is_a_setting() -> None:
    """Promise: HEAD_TIMEOUT_S and IDLE_CONNECTION_S count."""

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        pytest.fail("nobody asks")

    config = config_of(Settings(head_timeout_s=7, idle_connection_s=9), Doorkeeper(served, clock=Clock.system()))
    assert config.timeout_keep_alive == 9
    http = config.http
    assert isinstance(http, type)
    assert issubclass(http, Wire)
    assert http.head_deadline_s == 7


@pytest.mark.parametrize("between", [b"", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"])
async def test_garbage_behind_a_request_never_gets_into_its_answer(hub: Hub, between: bytes) -> None:
    """Promise: what a stream carries is the stream's; who breaks the protocol behind his request is hung up on."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
        await receive()
        await receive()

    async with listening(hub, app) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        told = await reader.readuntil(b"data: 1\n\n\r\n")
        writer.write(between + b"HELO mail.example\r\n\r\n")
        told += await reader.read()
    assert told.endswith(b"data: 1\n\n\r\n")
    assert b"400" not in told


async def test_a_taken_port_is_told_before_anything_is_begun(tmp_path: Path) -> None:
    """Promise: one sentence with the port and the setting; no store is made in vain."""
    holder = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    async with holder:
        port = holder.sockets[0].getsockname()[1]
        settings = Settings(data_dir=tmp_path, app_port=port)
        with pytest.raises(StartRefused, match=f"{port}.*APP_PORT"):
            await serve_gateway(settings, with_simulator=False)
    assert not settings.database_path.exists()


def test_a_name_that_nobody_waits_for_any_more_is_no_news(caplog: pytest.LogCaptureFixture) -> None:
    """Promise: an end while the exchange's name is looked up, in vain, is silent; any other failure is told."""

    async def leave_the_lookup() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(tell_unless_abandoned)
        # A name that never is one (RFC 6761, 6.4).
        connecting = asyncio.create_task(loop.create_connection(asyncio.Protocol, "exchange.invalid", 443))
        await asyncio.sleep(0)  # sleep: one turn of the loop, in which the lookup begins
        connecting.cancel()
        await asyncio.wait((connecting,))
        # The same lookup, made after it and so answered after it.
        await asyncio.gather(loop.getaddrinfo("exchange.invalid", 443), return_exceptions=True)
        del connecting
        gc.collect()

    def told() -> list[str]:
        return [record.message for record in caplog.records if "never retrieved" in record.message]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(leave_the_lookup())
        assert told() == []
        tell_unless_abandoned(runner.get_loop(), {"message": "never retrieved", "exception": ValueError("another")})
        assert len(told()) == 1


def test_the_collector_leaves_alone_what_the_start_has_built() -> None:
    """Promise: its looks are rare, and pass over what lasts as long as the process: they were most of the tail of a
    delivery.
    """
    before = gc.get_threshold()
    try:
        _settle_memory()
        assert gc.get_threshold() == COLLECTOR_THRESHOLDS
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
