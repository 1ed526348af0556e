"""A small gateway of accounts alone: real database, real backplane in memory, and an exchange that knows demo pairs."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from __tests__.fresh_store import fresh_store
from cryptomarket.accounts.access import Accounts, Known, Operator, Person, StreamEntry, address_of, same_origin
from cryptomarket.accounts.opening import Opening
from cryptomarket.accounts.parts import AccountsParts, AccountsValues, build_accounts
from cryptomarket.accounts.person import Profile
from cryptomarket.accounts.routes import router
from cryptomarket.backplane.mailroom import Letter
from cryptomarket.backplane.memory import MemoryBus, MemoryCache, MemoryLimiter, MemoryMailroom
from cryptomarket.clock import Clock
from cryptomarket.db import Database
from cryptomarket.errors import CryptomarketError, ExchangeFatal, Refusal, TooMany, Unavailable
from cryptomarket.secret import Secret

START_US = 1_768_768_182_000_000
TOKEN_KEY = "a token key of a test, long enough for HS256"
SEAL_SECRET = "a seal secret of a test, which Redis never sees"
ORIGIN = "http://gateway.test"


class Hands:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.wall_us = START_US

    def forward(self, seconds: float) -> None:
        self.wall_us += int(seconds * 1_000_000)

    @property
    def now_s(self) -> float:
        return self.wall_us / 1_000_000

    def clock(self) -> Clock:
        return Clock(lambda: self.now_s, lambda: self.wall_us)


class Exchange:
    """Knows the pairs demo-N with demo-N-secret, and counts how often it was asked. `trouble` is raised instead."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.trouble: CryptomarketError | None = None
        self.silent = asyncio.Event()
        self.silent.set()

    async def identify(self, client_id: str, secret: Secret, *, timeout_s: float) -> Profile:
        self.asked.append(client_id)
        await self.silent.wait()
        if self.trouble is not None:
            raise self.trouble
        number = client_id.removeprefix("demo-")
        if not number.isdigit() or secret.reveal() != f"{client_id}-secret":
            raise ExchangeFatal(13004, "invalid_credentials", method="public/auth")
        return Profile(int(number) + 10_000, f"{client_id}@example.com", client_id, f"system-{client_id}", "main")


class WatchedCache(MemoryCache):
    """The cache, and everything that was ever put into it."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self.written: list[bytes] = []

    async def put(self, key: str, value: bytes, *, life_s: float) -> None:
        self.written += [key.encode(), value]
        await super().put(key, value, life_s=life_s)


class WatchedMailroom(MemoryMailroom):
    """The mailroom, and everything that ever passed through it. Nobody reads before `open_box`."""

    def __init__(self) -> None:
        super().__init__()
        self.passed: list[bytes] = []

    async def ask(self, box: str, body: bytes, *, timeout_s: float) -> bytes:
        self.passed.append(body)
        answer = await super().ask(box, body, timeout_s=timeout_s)
        self.passed.append(answer)
        return answer


@dataclass
class World:
    """Everything of it, to be looked at."""

    hands: Hands
    database: Database
    database_path: Path
    cache: WatchedCache
    limiter: MemoryLimiter
    mailroom: WatchedMailroom
    bus: MemoryBus
    exchange: Exchange
    parts: AccountsParts
    http: httpx2.AsyncClient
    revoked: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)

    async def enter(self, number: int = 1) -> dict[str, str]:
        """The body of a successful POST /auth/token."""
        form = {
            "grant_type": "client_credentials",
            "client_id": f"demo-{number}",
            "client_secret": f"demo-{number}-secret",
        }
        answer = await self.http.post("/api/v2/auth/token", data=form)
        assert answer.status_code == 200, answer.text
        body: dict[str, str] = answer.json()
        return body

    async def bearer(self, number: int = 1) -> dict[str, str]:
        """Headers of somebody who has logged in."""
        return {"Authorization": f"Bearer {(await self.enter(number))['access_token']}"}

    def second_process(self) -> AccountsParts:
        """Another API process on the same database and backplane."""
        return build_accounts(
            values(),
            database=self.database,
            bus=self.bus,
            cache=self.cache,
            limiter=self.limiter,
            mailroom=self.mailroom,
            clock=self.hands.clock(),
            random_bytes=random.Random(2).randbytes,
            on_revoked=self.revoked.append,
            on_seen=self.seen.append,
        )


def values(exchange: str = "simulator") -> AccountsValues:
    return AccountsValues(
        exchange=exchange,
        token_key=Secret(TOKEN_KEY),
        seal_secret=Secret(SEAL_SECRET),
        failures_per_address=6,
        failures_per_client=3,
        streams_per_user=2,
        streams_per_address=3,
        streams_per_process=4,
        login_timeout_s=5.0,
    )


@asynccontextmanager
async def open_database(folder: Path) -> AsyncIterator[tuple[Database, Path]]:
    path = folder / "accounts.sqlite3"
    database = Database(await fresh_store(path))
    try:
        yield database, path
    finally:
        await database.close()


@asynccontextmanager
async def open_world(folder: Path) -> AsyncIterator[World]:
    """A world whose login letters are read, as they are where the pool runs."""
    async with open_database(folder) as (database, path):
        hands = Hands()
        seen: list[str] = []
        revoked: list[str] = []
        cache, limiter, mailroom = WatchedCache(lambda: hands.now_s), MemoryLimiter(), WatchedMailroom()
        bus = MemoryBus("e1", is_newest=lambda _name, _token: True)
        parts = build_accounts(
            values(),
            database=database,
            bus=bus,
            cache=cache,
            limiter=limiter,
            mailroom=mailroom,
            clock=hands.clock(),
            random_bytes=random.Random(1).randbytes,
            on_revoked=revoked.append,
            on_seen=seen.append,
        )
        await parts.revocations.load()
        exchange = Exchange()
        opening = Opening(
            cache=cache,
            mailroom=mailroom,
            identifier=exchange,
            seal_secret=Secret(SEAL_SECRET),
            now_ms=hands.clock().wall_ms,
            at_once=2,
            timeout_s=0.2,
        )
        async with running(opening.run()), client_of(parts) as http:
            yield World(
                hands, database, path, cache, limiter, mailroom, bus, exchange, parts, http, revoked=revoked, seen=seen
            )


@asynccontextmanager
async def running(work: Awaitable[None]) -> AsyncIterator[asyncio.Future[None]]:
    """Runs beside the block, and is cancelled at its end."""
    task = asyncio.ensure_future(work)
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def eventually(condition: Callable[[], bool], *, deadline_s: float = 5.0) -> None:
    """Gives other tasks their turns until the condition holds."""
    async with asyncio.timeout(deadline_s):
        for turn in itertools.count():
            if condition():
                return
            # sleep: every turn of the loop is given to the others; the deadline above ends it
            await asyncio.sleep(0 if turn < 100 else 0.01)


class PostedLetter:
    """A letter as the mailroom hands it out."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.answers: list[bytes] = []

    async def reply(self, body: bytes) -> None:
        self.answers.append(body)


def posted(body: bytes) -> Letter:
    return PostedLetter(body)


def client_of(parts: AccountsParts) -> httpx2.AsyncClient:
    """A client of an API process that holds these parts."""
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=with_state(application(), parts)), base_url=ORIGIN)


def with_state(app: FastAPI, parts: AccountsParts) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """The application as a server runs it, with the state of its lifespan in each request."""

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "state": {"accounts": parts}}, receive, send)

    return served


def application() -> FastAPI:
    """The room's routes, a few that only ask who is calling, and its errors as statuses."""
    app = FastAPI()
    app.include_router(router)
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(Unavailable, _unavailable)

    @app.get("/known", operation_id="get_known")
    @app.post("/known", operation_id="post_known")
    async def known(caller: Known) -> str:
        return caller.user_id

    @app.get("/person")
    async def person(caller: Person) -> str:
        return caller.user_id

    @app.get("/operator")
    async def operator(caller: Operator) -> str:
        return caller.user_id

    @app.get("/v1/change", dependencies=[Depends(same_origin)])
    async def change(caller: Person) -> str:
        return caller.user_id

    @app.get("/place")
    async def place(request: Request, accounts: Accounts, caller: Person) -> int:
        accounts.places.take(caller.user_id, address_of(request))
        return accounts.places.open

    @app.get("/stream")
    async def stream(entry: StreamEntry) -> dict[str, object]:
        issued = entry.issued
        return {
            "user_id": entry.caller.user_id,
            "access_token": issued.access_token if issued else None,
            "expires_in": issued.expires_in_s if issued else None,
        }

    return app


async def _refused(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refusal)
    headers = {}
    if isinstance(error, TooMany):
        headers = {"Retry-After": str(int(error.retry_after_s)), "RateLimit-Limit": str(error.limit)}
    return JSONResponse({"detail": error.detail, "field": error.field}, error.status, headers)


async def _unavailable(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Unavailable)
    headers = {"Retry-After": str(int(error.retry_after_s))}
    return JSONResponse({"detail": error.detail, "part": error.part}, 503, headers)
