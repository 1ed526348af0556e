"""The routes of this room behind a real server on a port of its own, with real accounts and a real database."""

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

import httpx2
import uvicorn

from __tests__.fresh_store import fresh_store
from __tests__.live.world import QUIET, Event, House, Json, Names, Way, events_of, eventually
from cryptomarket.accounts.parts import AccountsParts, AccountsValues, build_accounts
from cryptomarket.accounts.tokens import Scope
from cryptomarket.app import create_app
from cryptomarket.backplane.memory import MemoryCache, MemoryLimiter, MemoryMailroom
from cryptomarket.db import Database
from cryptomarket.live.follow import Archive, Opener
from cryptomarket.live.parts import LiveParts
from cryptomarket.live.repository import SavedSetRepository
from cryptomarket.live.stream import StreamLimits
from cryptomarket.live.subscriptions import Subscriptions
from cryptomarket.live.transport import LineProtocol
from cryptomarket.secret import Secret

TICKERS_LIMIT = 3
STREAMS_LIMIT = 4
REPLAY_PAGE = 7
PATH = "/api/v2/sse/connection"


class Served(House):
    """A house that is open to the outside."""

    accounts: AccountsParts
    live: LiveParts
    http: httpx2.AsyncClient

    def token(self, user: str = "u", scope: Scope = Scope.PERSON) -> str:
        return self.accounts.tokens.issue(user, frozenset({scope}), now_s=self.hands.wall_us / 1e6).access_token

    def bearer(self, user: str = "u", scope: Scope = Scope.PERSON) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(user, scope)}"}

    @asynccontextmanager
    async def stream(
        self, query: str = "", headers: dict[str, str] | None = None
    ) -> AsyncIterator[tuple[httpx2.Response, AsyncIterator[Event]]]:
        """A stream over HTTP: its response, and its events as they come."""
        async with self.http.stream("GET", f"{PATH}{query}", headers=headers or self.bearer()) as response:
            yield response, events_as_they_come(response)

    async def left_empty(self) -> None:
        """Returns when no stream is open; none has left anything behind."""
        await eventually(lambda: not self.hub.seats)
        assert self.accounts.places.open == 0


async def events_as_they_come(response: httpx2.Response) -> AsyncIterator[Event]:
    text = b""
    async for chunk in response.aiter_raw():
        text += chunk
        whole, end, text = text.rpartition(b"\n\n")
        if end:
            for event in events_of(whole + end):
                yield event


async def until(events: AsyncIterator[Event], name: str) -> list[Event]:
    """Everything up to the first event of this name."""
    told = []
    async with asyncio.timeout(10):
        async for event in events:
            told.append(event)
            if event.name == name:
                return told
    raise AssertionError(f"the stream ended before {name}: {told}")


class Listening(uvicorn.Server):
    """A server beside others, which leaves signals to the process."""

    @property
    def port(self) -> int:
        number: int = self.servers[0].sockets[0].getsockname()[1]
        return number

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def turn_to(self, gate: Served) -> None:
        """From the next request on, these parts are asked."""
        self.lifespan.state |= {"live": gate.live, "accounts": gate.accounts}


@asynccontextmanager
async def listening(
    http: str | type[asyncio.Protocol] = "auto", listener: socket.socket | None = None
) -> AsyncIterator[Listening]:
    """A server of the routes that speaks HTTP by this implementation."""
    app = create_app({}, exchange="simulator", body_limit_bytes=10_000)
    config = uvicorn.Config(
        app,
        http=http,
        port=0,
        log_level="error",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=3,
    )
    server = Listening(config)
    serving = asyncio.create_task(server.serve(sockets=[listener] if listener is not None else None))
    try:
        await eventually(lambda: server.started)
        yield server
    finally:
        server.should_exit = True
        await serving


@asynccontextmanager
async def served(folder: Path, limits: StreamLimits = QUIET) -> AsyncIterator[Served]:
    """Open from the first request to the last; nobody is left in it."""
    async with (
        listening(LineProtocol if Way.by_line else "auto") as server,
        gate_of(folder, replace(limits, farewell_s=0.3)) as gate,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", timeout=10) as gate.http,
    ):
        server.turn_to(gate)
        yield gate
        await gate.left_empty()


@asynccontextmanager
async def gate_of(
    folder: Path,
    limits: StreamLimits,
    streams_limit: int = STREAMS_LIMIT,
    archive: Callable[[Database], Archive] | None = None,
    **options: Json,
) -> AsyncIterator[Served]:
    """What is served. Streams that are open at its end are told `shutdown`."""
    database = Database(await fresh_store(folder / "live.sqlite3"))
    built = Served(limits=limits, **options)
    clock = built.hands.clock()
    repository = SavedSetRepository(database, tickers_limit=TICKERS_LIMIT)
    subscriptions = Subscriptions(repository, built.bus, Names(), clock)
    built.accounts = build_accounts(
        AccountsValues(
            "simulator",
            Secret("a token key of a test, long enough for HS256"),
            Secret("a seal secret of a test, which Redis never sees"),
            streams_per_user=streams_limit,
        ),
        database=database,
        bus=built.bus,
        cache=MemoryCache(clock.monotonic_s),
        limiter=MemoryLimiter(),
        mailroom=MemoryMailroom(),
        clock=clock,
        random_bytes=random.Random(1).randbytes,
        on_revoked=built.hub.end,
        on_seen=lambda user_id: None,
    )
    await built.accounts.revocations.load()
    built.live = LiveParts(
        exchange="simulator",
        hub=built.hub,
        opener=Opener(
            built.hub,
            built.bus,
            repository,
            ahead_s=1.0,
            replay_page=REPLAY_PAGE,
            archive=archive(database) if archive is not None else None,
        ),
        subscriptions=subscriptions,
        directory=Names(),
        places=built.accounts.places,
        limits=built.limits,
        tickers_limit=TICKERS_LIMIT,
        clock=clock,
        random=lambda: 0.5,
    )
    await built.begin()
    try:
        yield built
    finally:
        built.hub.drain()
        await built.end()
        await database.close()
