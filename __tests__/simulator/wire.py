"""A plain client over real sockets, for the tests that need some."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http.client import HTTPConnection
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from cryptomarket.simulator.server import RunningSimulator

DEADLINE_S = 10.0


class Client:
    """JSON-RPC without comfort: every message that arrives is kept in order."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.messages: list[dict[str, Any]] = []
        self._numbers = 0

    async def receive(self) -> dict[str, Any]:
        async with asyncio.timeout(DEADLINE_S):
            message: dict[str, Any] = json.loads(await self.socket.recv())
        self.messages.append(message)
        return message

    async def ask(self, method: str, **params: object) -> dict[str, Any]:
        self._numbers += 1
        await self.socket.send(json.dumps({"jsonrpc": "2.0", "id": self._numbers, "method": method, "params": params}))
        while True:
            message = await self.receive()
            if message.get("id") == self._numbers:
                return message

    async def notices(self, channel: str, count: int) -> list[Any]:
        """The data of the next notifications of a channel."""
        found: list[Any] = []
        while len(found) < count:
            params = (await self.receive()).get("params", {})
            if params.get("channel") == channel:
                found.append(params["data"])
        return found

    async def closed(self) -> tuple[int | None, str]:
        """Reads until the end: (close code, reason)."""
        async with asyncio.timeout(DEADLINE_S):
            async for message in self.socket:
                self.messages.append({"late": message})
        return self.socket.close_code, self.socket.close_reason or ""


@asynccontextmanager
async def client(simulator: RunningSimulator, *, compressed: bool = False) -> AsyncIterator[Client]:
    compression = "deflate" if compressed else None
    async with connect(simulator.ws_url, compression=compression, ping_interval=None, close_timeout=0.2) as socket:
        yield Client(socket)


async def http(
    simulator: RunningSimulator, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None
) -> tuple[int, Any]:
    """(status, parsed body, or its text when it is not JSON) on a connection of its own."""

    def fetch() -> tuple[int, Any]:
        connection = http_connection(simulator)
        connection.request(method, target, body or None, headers or {})
        response = connection.getresponse()
        text = response.read()
        connection.close()
        if response.getheader("Content-Type") == "application/json":
            return response.status, json.loads(text)
        return response.status, text.decode()

    return await asyncio.to_thread(fetch)


def http_connection(simulator: RunningSimulator) -> HTTPConnection:
    return HTTPConnection(simulator.options.host, simulator.port, timeout=DEADLINE_S)


async def until(simulator: RunningSimulator, condition: Callable[[dict[str, Any]], bool]) -> None:
    """Asks for the state until something is true of it, with a deadline."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition((await http(simulator, "GET", "/simulator/state"))[1]):
            pass
