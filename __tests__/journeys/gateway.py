"""A whole gateway as a process, its simulator beside it, and readers of its streams: what journeys are made of."""

import asyncio
import json
import os
import re
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

import httpx
from httpx_sse import ServerSentEvent, aconnect_sse

from __tests__.journeys.warm import Process, start_anew, start_warm

Json = Any  # what JSON and a library's options may be

START_S = 30.0
QUICK = {
    "APP_PORT": "0",
    "SIMULATOR_PORT": "0",
    "PROJECT_MODE": "testing",
    "LOG_LEVEL": "DEBUG",
    "LOG_FORMAT": "json",
    "SESSION_BACKOFF_BASE_S": "0.05",
    "SESSION_BACKOFF_CAP_S": "0.5",
    "DEMAND_CHECK_S": "0.1",
    "DEMAND_LINGER_S": "1",
    "STREAM_FAREWELL_S": "1",
    # What a journey hears is what it counts; those about jobs say how often they want them.
    "COLLECT_INDEX_PRICES_S": "0",
    "COLLECT_TICKERS_S": "0",
    "REPAIR_GAPS_S": "0",
    "CHECK_CANDLES_S": "0",
}


def exact(text: str) -> Json:
    """JSON with decimals as they were written."""
    return json.loads(text, parse_float=Decimal)


@dataclass
class Gateway:
    """`cryptomarket up` in a process of its own, in a folder of its own.

    `settings` are environment variables over `QUICK`; `last_words` are what its banner ends with. `start` may be called
    again after `stop` or `kill`. With `is_new`, Python is started anew for it, see `warm.py`.
    """

    folder: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ("up",)
    last_words: str = "curl -N"
    is_new: bool = False
    process: Process | None = None
    url: str = ""
    simulator_url: str = ""
    banner: str = ""
    _draining: asyncio.Task[None] | None = None

    @property
    def log_path(self) -> Path:
        """Where the process's output goes, of all its lives."""
        return self.folder / "gateway.log"

    @property
    def environment(self) -> dict[str, str]:
        """What the process is given, and nothing of what happens to be set where the tests run."""
        # Nor is it measured, which would take it twice the time: tests of the rooms cover the same lines.
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder), **QUICK, **self.settings}

    async def _begin(self, *command: str, is_one_stream: bool = False) -> Process:
        start = start_anew if self.is_new or "LD_PRELOAD" in self.environment else start_warm
        return await start(
            *command, folder=self.folder, environment=self.environment, is_one_stream=is_one_stream, limit=2**22
        )

    async def run(self, *command: str) -> tuple[int, str, str]:
        """Another command of `cryptomarket` in the same folder, to its end: exit status, output, complaints."""
        process = await self._begin(*command)
        try:
            async with asyncio.timeout(START_S):
                said, complained = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
        assert process.returncode is not None
        return process.returncode, said.decode(), complained.decode()

    async def start(self) -> Self:
        """Starts it, and returns when it has said where it listens."""
        self.process = await self._begin(*self.command, is_one_stream=True)
        said = asyncio.get_running_loop().create_future()
        self._draining = asyncio.create_task(self._drain(said))
        async with asyncio.timeout(START_S):
            self.banner = await said
        found = re.search(r"health (http://\S+)/health", self.banner)
        exchange = re.search(r"exchange: \w+ +(ws\S+)", self.banner)
        assert found, self.banner
        assert exchange, self.banner
        self.url = found[1]
        self.simulator_url = exchange[1].replace("ws://", "http://").removesuffix("/ws/api/v2")
        return self

    async def _drain(self, said: "asyncio.Future[str]") -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        text = ""
        with self.log_path.open("ab") as log:
            async for line in self.process.stdout:
                log.write(line)
                log.flush()
                if not said.done():
                    text += line.decode(errors="replace")
                    if self.last_words in text:
                        said.set_result(text)
        if not said.done():
            said.set_exception(AssertionError(f"the gateway ended before it was up:\n{text}"))

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ends it by a signal; its exit status."""
        assert self.process is not None
        assert self._draining is not None
        if self.process.returncode is None:
            self.process.send_signal(number)
        async with asyncio.timeout(20):
            status = await self.process.wait()
            await self._draining
        return status

    async def kill(self) -> None:
        """`kill -9`."""
        await self.stop(signal.SIGKILL)

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.folder / "data" / "simulator-testing.sqlite3"

    def client(self, token: str | None = None, **options: Json) -> httpx.AsyncClient:
        """An HTTP client of this gateway."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.AsyncClient(base_url=self.url, headers=headers, timeout=20, **options)

    async def login(self, number: int = 1) -> tuple[str, str]:
        """(token, user_id) of the demo account."""
        pair = {"client_id": f"demo-{number}", "client_secret": f"demo-{number}-secret"}
        async with self.client() as client:
            answer = await client.post("/api/v2/auth/token", data={"grant_type": "client_credentials", **pair})
        assert answer.status_code == 200, answer.text
        return answer.json()["access_token"], answer.json()["user_id"]

    async def operator(self) -> str:
        """A token of an operator, whose API key the command line makes."""
        status, key, complaint = await self.run("keys", "create", "a test's")
        assert status == 0, complaint
        async with self.client() as client:
            answer = await client.post("/api/v2/auth/token", data={"grant_type": "api_key", "api_key": key.strip()})
        assert answer.status_code == 200, answer.text
        token: str = answer.json()["access_token"]
        return token

    async def simulator(self) -> Json:
        """What the simulator says of itself: connections, subscriptions, counts."""
        async with httpx.AsyncClient(timeout=10) as client:
            return (await client.get(f"{self.simulator_url}/simulator/state")).json()

    async def fault(self, *faults: Mapping[str, Any]) -> None:
        """Scripts trouble at the simulator."""
        async with httpx.AsyncClient(timeout=10) as client:
            answer = await client.post(f"{self.simulator_url}/simulator/faults", json=list(faults))
        assert answer.status_code == 201, answer.text

    async def end_faults(self) -> None:
        """Ends all scripted trouble."""
        async with httpx.AsyncClient(timeout=10) as client:
            await client.delete(f"{self.simulator_url}/simulator/faults")


@asynccontextmanager
async def running(gate: Gateway) -> AsyncIterator[Gateway]:
    """It runs until the block ends, unless it has ended before."""
    await gate.start()
    try:
        yield gate
    finally:
        if gate.process is not None and gate.process.returncode is None:
            await gate.stop()


@asynccontextmanager
async def gateway(folder: Path, *command: str, **settings: str) -> AsyncIterator[Gateway]:
    """A gateway that runs until the block ends."""
    named = {name.upper(): value for name, value in settings.items()}
    async with running(Gateway(folder, named, command or ("up",))) as gate:
        yield gate


class Reader:
    """Reads a stream in the background and keeps every event. Use by `reading`."""

    def __init__(self) -> None:
        self.events: list[ServerSentEvent] = []
        self.ended = False
        self._came = asyncio.Condition()

    async def take(self, source: AsyncIterator[ServerSentEvent]) -> None:
        """Keeps what comes until the stream ends."""
        try:
            async for event in source:
                async with self._came:
                    self.events.append(event)
                    self._came.notify_all()
        except httpx.TransportError:
            pass  # the server is gone: what came is kept
        finally:
            async with self._came:
                self.ended = True
                self._came.notify_all()

    def named(self, *names: str) -> list[Any]:
        """The data of the events of these names, decimals exact."""
        return [exact(event.data) for event in self.events if event.event in names]

    @property
    def last_id(self) -> str:
        """The id to come back with."""
        return next((event.id for event in reversed(self.events) if event.id), "")

    async def until(self, condition: Callable[["Reader"], object], *, within_s: float = 20) -> Json:
        """Waits until the condition gives something true of what came, and gives that."""
        async with asyncio.timeout(within_s), self._came:
            while True:
                told = condition(self)
                if told:
                    return told
                assert not self.ended, f"the stream ended: {[event.event for event in self.events][-5:]}"
                await self._came.wait()

    async def next(
        self, name: str, *, within_s: float = 20, where: Callable[[Any], object] = lambda data: True
    ) -> Json:
        """The data of the next event of this name that satisfies `where`."""
        seen = len(self.events)

        def found(reader: "Reader") -> Json:
            for event in reader.events[seen:]:
                if event.event == name and where(exact(event.data)):
                    return exact(event.data)
            return None

        return await self.until(found, within_s=within_s)


@asynccontextmanager
async def reading(
    gate: Gateway, token: str | None = None, *, headers: Mapping[str, str] | None = None, **query: str | float
) -> AsyncIterator[Reader]:
    """A stream that is read in the background while the block runs. The first event has come when the block begins."""
    reader = Reader()
    async with (
        gate.client(token) as client,
        aconnect_sse(
            client, "GET", "/api/v2/sse/connection", params=query, headers=dict(headers or {}), timeout=None
        ) as source,
    ):
        assert source.response.status_code == 200, (await source.response.aread()).decode()
        task = asyncio.create_task(reader.take(source.aiter_sse()))
        try:
            await reader.until(lambda told: told.events)
            yield reader
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
