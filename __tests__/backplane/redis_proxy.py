"""A way to a Redis that can hold back what was sent, and deliver it when its sender has long given up."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from __tests__.backplane.redis_server import RedisServer


class Proxy:
    """Passes bytes both ways. What came on connections that were open at `hold` waits for `deliver`."""

    def __init__(self, server: RedisServer, path: Path) -> None:
        self._server = server
        self._path = path
        self._gate = asyncio.Event()
        self._gate.set()
        self._passing: set[asyncio.Task[None]] = set()
        self._held: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"unix://{self._path}"

    def hold(self) -> None:
        """From now on nothing reaches the server; new connections wait until `let_new_ones_pass`."""
        self._gate.clear()

    def let_new_ones_pass(self) -> None:
        self._held |= self._passing
        self._passing = set()
        self._gate = asyncio.Event()
        self._gate.set()

    async def deliver(self, gate: asyncio.Event) -> None:
        """What was held back reaches the server; returns when the server has answered it and was left."""
        gate.set()
        await asyncio.gather(*self._held)

    async def left(self) -> None:
        """Returns when both sides of every connection have left."""
        await asyncio.gather(*self._passing)

    @property
    def gate(self) -> asyncio.Event:
        return self._gate

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._passing.add(task)
        gate = self._gate
        from_server, to_server = await asyncio.open_unix_connection(str(self._server.socket))
        answers = asyncio.create_task(_copy(from_server, writer))
        with contextlib.suppress(ConnectionError):  # its sender has given up; what it had sent passes
            while text := await reader.read(65_536):
                await gate.wait()
                to_server.write(text)
        to_server.write_eof()
        await answers
        to_server.close()
        writer.close()
        self._passing.discard(task)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while text := await reader.read(65_536):
        if not writer.is_closing():
            writer.write(text)


@asynccontextmanager
async def proxy_to(server: RedisServer, folder: Path) -> AsyncIterator[Proxy]:
    proxy = Proxy(server, folder / "proxy.sock")
    listening = await asyncio.start_unix_server(proxy.pass_on, str(folder / "proxy.sock"))
    yield proxy
    listening.close()
    await proxy.left()
