"""Bulk answers over real connections: they are broken off where they fail, and let go of where nobody reads."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import TypeVar
from unittest.mock import patch

import httpx
import pytest
import uvicorn
from sqlalchemy import text
from starlette.types import Message
from structlog.testing import capture_logs

from __tests__.history.outside import Names, application, client_of, open_to_all
from __tests__.history.test_exports import ME, BreakingOff, exports_of
from __tests__.history.world import NOW_MS, StoppedClock, heard, index_tick, new_bus, new_cache
from cryptomarket.db import Database
from cryptomarket.errors import DatabaseUnavailable, NotFound
from cryptomarket.history.downloads import Download
from cryptomarket.history.exports import Asker, ExportLimits, Exports
from cryptomarket.history.formats import Format
from cryptomarket.history.look_repository import Look
from cryptomarket.history.parts import HistoryParts, build_history
from cryptomarket.history.questions import TicksQuestion
from cryptomarket.history.reach import Reach
from cryptomarket.history.repository import Repository
from cryptomarket.history.walk import Sizes
from cryptomarket.market.instruments import Kind
from cryptomarket.server import Wire

T = NOW_MS - 100_000
AWAY = DatabaseUnavailable("away")
A = TypeVar("A")
PATH = "/api/v2/ticks/btc_usd"
REQUEST_ID = "0b9619ff-8b86-4d01-b42d-00cf4fc964aa"
# As in the gateway (STREAM_KERNEL_BYTES): what the kernel takes for a reader who doesn't read is bounded.
KERNEL_BYTES = 65_536


class Unreadable(Repository):
    """A repository whose database knows how far a range goes, and tells none of its rows."""

    async def look(self, ask: Callable[[Look], A]) -> A:
        def without_rows(look: Look) -> A:
            with (
                patch.object(look, "page", side_effect=AWAY),
                patch.object(look.lines, "ahead", side_effect=AWAY),
            ):
                return ask(look)

        return await super().look(without_rows)


class Slow(Repository):
    """A repository whose database finds the first rows at once, and never stops looking for the others."""

    looks = 0

    async def look(self, ask: Callable[[Look], A]) -> A:
        self.looks += 1
        if self.looks < 3:
            return await super().look(ask)
        for_ever = text("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i % 7 + 1 FROM n) SELECT count(*) FROM n")
        return await self._db.look(lambda connection: connection.execute(for_ever).one()[0])


def parts_of(repository: Repository, stopped: StoppedClock) -> HistoryParts:
    bus = new_bus()
    parts = build_history(repository, bus, new_cache(), open_to_all(), Names(), stopped.clock)
    return replace(parts, exports=exports_of(repository, bus, stopped))


@asynccontextmanager
async def served(parts: HistoryParts) -> AsyncIterator[str]:
    """The application on a port of its own."""
    config = uvicorn.Config(application(parts), port=0, log_level="critical", lifespan="off", ws="none")
    async with serving(uvicorn.Server(config)) as address:
        yield address


@asynccontextmanager
async def serving(server: uvicorn.Server) -> AsyncIterator[str]:
    """A server that runs; its address."""
    running = asyncio.create_task(server._serve())  # noqa: SLF001 - serve() would take the signals of the tests
    async with asyncio.timeout(10):
        while not server.started:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.01)  # sleep: a turn, under a deadline
    listener = server.servers[0].sockets[0]
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BYTES)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = server.force_exit = True
        await running


async def connections_of(database: Database, count: int) -> None:
    """Waits until so many connections are taken."""
    engines = database._engines  # noqa: SLF001 - nobody else counts them
    pools = [engine.pool for engine in (engines.writer, engines.looker) if engine is not None]
    async with asyncio.timeout(10):
        while sum(pool.checkedout() for pool in pools) != count:  # type: ignore[attr-defined]  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)  # sleep: a turn, under a deadline


async def emptied(exports: Exports) -> None:
    async with asyncio.timeout(10):
        while exports.open:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.01)  # sleep: a turn, under a deadline


@pytest.mark.parametrize(
    ("form", "media_type"),
    [
        ("ndjson", "application/x-ndjson"),
        ("csv", "text/csv; charset=utf-8"),
        ("parquet", "application/vnd.apache.parquet"),
        ("arrow", "application/vnd.apache.arrow.stream"),
    ],
)
async def test_a_format_is_asked_for_by_name_or_by_accept(
    repository: Repository, stopped: StoppedClock, form: str, media_type: str
) -> None:
    """Promise: both ways give the same bytes; the name of the file tells ticker and range; the id finds the facts."""
    await repository.keep(heard([index_tick(T + ms) for ms in range(5)]))
    parts = parts_of(repository, stopped)
    async with client_of(parts) as client:
        asked = {"start": str(T), "end": str(T + 9)}
        named = await client.get(PATH, params={**asked, "format": form})
        accepted = await client.get(PATH, params=asked, headers={"Accept": media_type.partition(";")[0]})
        assert (named.status_code, named.headers["content-type"]) == (200, media_type)
        assert named.headers["content-disposition"] == f'attachment; filename="btc_usd_{T}_{T + 9}.{form}"'
        assert named.content == accepted.content
        assert accepted.headers["vary"] == "Accept"
        facts = await client.get(f"/api/v2/exports/{named.headers['x-request-id']}")
        assert (facts.json()["rows"], facts.json()["format"]) == (5, form)
        async with client_of(parts, user_id="u_two") as stranger:
            assert (await stranger.get(f"/api/v2/exports/{named.headers['x-request-id']}")).status_code == 404
    assert not parts.exports.open


@pytest.mark.parametrize("form", ["csv", "parquet"])
async def test_head_runs_no_export(repository: Repository, stopped: StoppedClock, form: str) -> None:
    """Promise: HEAD tells the headers of GET over a real connection, reads no row, remembers no export, and the next
    question is answered on the same connection.
    """
    parts = parts_of(Unreadable(repository._db), stopped)  # noqa: SLF001 - the same database
    asked = {"format": form, "start": str(T), "end": str(T + 9)}
    async with served(parts) as address, httpx.AsyncClient(base_url=address) as client:
        head = await client.head(PATH, params=asked)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-disposition"].endswith(f'_{T + 9}.{form}"')
        assert (await client.head(PATH, params={"format": form, "start": "2", "end": "1"})).status_code == 422
        assert not parts.exports.open
        assert (await client.get(f"/api/v2/exports/{head.headers['x-request-id']}")).status_code == 404
        assert (await client.get(PATH, params=asked)).status_code == 503


@pytest.mark.parametrize("form", ["csv", "ndjson"])
async def test_a_short_answer_does_not_look_whole(repository: Repository, stopped: StoppedClock, form: str) -> None:
    """Promise: when the database goes away in the middle, the connection ends without its last chunk."""
    await repository.keep(heard([index_tick(T + ms) for ms in range(9)]))
    parts = parts_of(BreakingOff(repository._db), stopped)  # noqa: SLF001 - the same database
    async with served(parts) as address, httpx.AsyncClient(base_url=address) as client:
        with pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"):
            await client.get(PATH, params={"format": form})
        await emptied(parts.exports)
        assert (await client.get(PATH)).status_code == 200


@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_nor_does_it_where_there_are_no_chunks(
    repository: Repository, stopped: StoppedClock, version: str
) -> None:
    """Promise: who counts on the end of the connection, as HTTP/1.0 does, gets no end but a reset."""
    await repository.keep(heard([index_tick(T + ms) for ms in range(9)]))
    parts = parts_of(BreakingOff(repository._db), stopped)  # noqa: SLF001 - the same database
    config = uvicorn.Config(application(parts), port=0, http=Wire, lifespan="off", ws="none", log_level="critical")
    async with serving(uvicorn.Server(config)) as address, asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2]))
        writer.write(f"GET {PATH}?format=csv HTTP/{version}\r\nHost: gateway\r\n\r\n".encode())
        try:
            told, is_reset = await reader.read(), False
        except ConnectionResetError:
            told, is_reset = b"", True
        writer.close()
    assert is_reset is (version == "1.0")
    assert not told.endswith(b"\r\n0\r\n\r\n")


@pytest.mark.parametrize(("form", "count"), [("ndjson", 40_000), ("parquet", 6000)])
async def test_who_leaves_frees_his_place_and_every_connection(
    repository: Repository, database: Database, stopped: StoppedClock, form: str, count: int
) -> None:
    """Promise: a reader that stalls holds no connection of the database, and one that goes away leaves nothing open and
    nothing that is still being read.
    """
    await repository.keep(heard([index_tick(T + ms // 1000, f"85500.{ms}") for ms in range(count)]))
    bus = new_bus()
    exports = Exports(
        repository, Reach(bus, clock=stopped.clock), new_cache(), clock=stopped.clock, sizes=Sizes(2500, 2500, 2500)
    )
    async with served(replace(parts_of(repository, stopped), exports=exports)) as address:
        host, _, port = address.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port), limit=1024)
        writer.write(f"GET {PATH}?format={form} HTTP/1.1\r\nHost: gateway\r\n\r\n".encode())
        assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
        assert len(exports.open) == 1
        if form == "ndjson":
            # What fits into the sockets' buffers has left, and nobody asks for more.
            await connections_of(database, 0)
            assert len(exports.open) == 1
        writer.transport.abort()
        await emptied(exports)
        await connections_of(database, 0)
        assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("rows of")]
        async with httpx.AsyncClient(base_url=address) as client:
            whole = await client.get(PATH, params={"format": "ndjson"})
        assert json.loads(whole.text.splitlines()[-1])["trailer"]["rows"] == count


async def test_a_question_that_is_under_way_is_given_up(
    repository: Repository, database: Database, stopped: StoppedClock
) -> None:
    """Promise: who leaves while the database is still looking frees its connection, too."""
    await repository.keep(heard([index_tick(T + ms) for ms in range(9)]))
    parts = parts_of(Slow(repository._db), stopped)  # noqa: SLF001 - the same database
    async with served(parts) as address:
        host, _, port = address.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"GET {PATH}?format=ndjson HTTP/1.1\r\nHost: gateway\r\n\r\n".encode())
        assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
        await connections_of(database, 1)
        writer.transport.abort()
        await emptied(parts.exports)
        await connections_of(database, 0)


async def asked_and_left_lying(address: str, query: str) -> socket.socket:
    """A connection that has asked for an export, and reads nothing but that it has begun."""
    host, _, port = address.removeprefix("http://").partition(":")
    own = socket.socket()
    own.setblocking(False)
    own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(own, (host, int(port)))
    head = f"GET {PATH}?{query} HTTP/1.1\r\nHost: gateway\r\nX-Request-ID: {REQUEST_ID}\r\n\r\n"
    await loop.sock_sendall(own, head.encode())
    async with asyncio.timeout(10):
        assert (await loop.sock_recv(own, 15)) == b"HTTP/1.1 200 OK"
    return own


async def read_on(own: socket.socket) -> bytes:
    """What still comes, until the connection has ended one way or the other."""
    told = b""
    with suppress(ConnectionResetError):
        async with asyncio.timeout(10):
            while more := await asyncio.get_running_loop().sock_recv(own, 65_536):
                told += more
    return told


@pytest.mark.parametrize("form", ["ndjson", "arrow"])
async def test_who_takes_nothing_is_let_go(
    repository: Repository,
    database: Database,
    stopped: StoppedClock,
    caplog: pytest.LogCaptureFixture,
    form: str,
) -> None:
    """Promise: a reader that takes no piece in time loses his place and his connection, with all that it still held,
    though he reads nothing and stays; what he has got does not look whole, the facts say that it failed, and one line
    of the log does.
    """
    await repository.keep(heard([index_tick(T + ms // 1000, f"85500.{ms}") for ms in range(10_000)]))
    limits = ExportLimits(at_once=1, per_user=1, stall_s=0.2)
    exports = Exports(
        repository, Reach(new_bus(), clock=stopped.clock), new_cache(), clock=stopped.clock, limits=limits
    )
    parts = replace(parts_of(repository, stopped), exports=exports)
    config = uvicorn.Config(
        application(parts), port=0, http=Wire, lifespan="off", ws="none", log_config=None, log_level=None
    )
    server = uvicorn.Server(config)
    with capture_logs() as lines:
        async with serving(server) as address:
            own = await asked_and_left_lying(address, f"format={form}")
            [connection] = server.server_state.connections
            await emptied(exports)
            await connections_of(database, 0)
            async with asyncio.timeout(10):
                while server.server_state.connections:  # noqa: ASYNC110 - there is no event for it
                    await asyncio.sleep(0.01)  # sleep: a turn, under a deadline
            assert connection.transport.is_closing()
            assert connection.transport.get_write_buffer_size() == 0
            async with httpx.AsyncClient(base_url=address) as client:
                facts = (await client.get(f"/api/v2/exports/{REQUEST_ID}")).json()
                assert (facts["state"], facts["sha256"], facts["complete"]) == ("failed", None, False)
                asked = {"format": "csv", "start": str(T), "end": str(T + 1)}
                assert (await client.get(PATH, params=asked)).status_code == 200
            assert not (await read_on(own)).endswith(b"0\r\n\r\n")
            own.close()
    assert [line["event"] for line in lines if line["log_level"] != "info"] == ["a reader of an export was let go"]
    assert [
        record.getMessage() for record in caplog.records if record.name == "uvicorn.error" and record.levelno > 30
    ] == []


@pytest.mark.parametrize("is_bodiless", [False, True])
@pytest.mark.parametrize("can_abort", [False, True])
async def test_a_place_is_free_whatever_the_server_can_do(
    repository: Repository, stopped: StoppedClock, is_bodiless: bool, can_abort: bool
) -> None:
    """Promise: a head that waits behind an answer nobody reads holds its place no longer than a piece, and a server
    that offers no way to give a connection up is left to end it.
    """
    bus = new_bus()
    exports = exports_of(repository, bus, stopped, limits=ExportLimits(stall_s=0.05))
    aborted: list[bool] = []
    ever = asyncio.Event()

    async def abort() -> None:
        aborted.append(not exports.open)

    async def send(message: Message) -> None:
        await ever.wait()

    async def receive() -> Message:
        await ever.wait()
        raise AssertionError("nothing comes")

    export = await exports.begin(ME, TicksQuestion("btc_usd"), Kind.INDEX, Format.CSV, is_read=not is_bodiless)
    download = Download(export, Format.CSV, is_bodiless=is_bodiless)
    async with asyncio.timeout(10):
        extensions = {"http.response.abort": abort} if can_abort else {}
        await download({"type": "http", "asgi": {"spec_version": "2.3"}, "extensions": extensions}, receive, send)
    assert aborted == [True] * can_abort
    assert not exports.open
    if is_bodiless:
        with pytest.raises(NotFound):
            await exports.facts(ME)
    else:
        assert json.loads(await exports.facts(ME))["state"] == "failed"


async def test_a_user_beyond_his_limit_is_told_so(repository: Repository, stopped: StoppedClock) -> None:
    """Promise: it is a 429 with a sentence of its own and the headers of every limit, and others are served."""
    parts = parts_of(repository, stopped)
    begun = [
        await parts.exports.begin(Asker("u_one", str(number)), TicksQuestion("btc_usd"), Kind.INDEX, Format.CSV)
        for number in range(2)
    ]
    async with client_of(parts) as client, client_of(parts, user_id="u_two") as other:
        refused = await client.get(PATH, params={"format": "csv"})
        assert refused.status_code == 429
        assert refused.json()["detail"] == "You have 2 exports under way here, which is a user's limit."
        names = ("retry-after", "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset")
        assert [refused.headers[name] for name in names] == ["5", "2", "0", "5"]
        assert (await other.get(PATH, params={"format": "csv"})).status_code == 200
    for export in begun:
        export.close()
