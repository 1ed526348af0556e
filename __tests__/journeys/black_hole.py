"""A way to a server that can swallow what is sent on it, and deliver it when its sender has long given up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class BlackHole:
    """Passes bytes both ways until `hold`; what comes from then on waits for `release`, in order, on old connections
    and new ones. `held_bytes` tells how much does, at least.
    """

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._is_open = asyncio.Event()
        self._is_open.set()
        self._serving: set[asyncio.Task[None]] = set()
        self.port = 0
        self.held_bytes = 0

    def hold(self) -> None:
        """From now on nothing arrives, in either direction, and nobody is told so."""
        self.held_bytes = 0
        self._is_open.clear()

    def release(self) -> None:
        """Everything arrives."""
        self._is_open.set()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one connection."""
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        try:
            with suppress(OSError):
                await self._pass_on(reader, writer)
        finally:
            writer.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self._to_port)
        try:
            async with asyncio.TaskGroup() as both_ways:
                both_ways.create_task(self._copy(reader, to_server))
                both_ways.create_task(self._copy(from_server, writer))
        finally:
            to_server.transport.abort()

    async def close(self) -> None:
        """Ends every connection."""
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):  # one side has given up
            while text := await reader.read(65_536):
                if not self._is_open.is_set():
                    self.held_bytes += len(text)
                    await self._is_open.wait()
                writer.write(text)
            writer.write_eof()


@asynccontextmanager
async def black_hole(to_port: int) -> AsyncIterator[BlackHole]:
    """One in front of a port of this machine, until the block ends."""
    hole = BlackHole(to_port)
    server = await asyncio.start_server(hole.connected, "127.0.0.1", 0)
    hole.port = server.sockets[0].getsockname()[1]
    try:
        yield hole
    finally:
        server.close()
        await hole.close()
