"""A way to a server that can swallow what is sent on it, and deliver it when its sender has long given up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class BlackHole:
    """Passes bytes both ways until `hold`; what comes from then on waits for `release`, in order, on old connections
    and new ones. `held` is what does, of each connection its first part. `cut` breaks every connection, and each new
    one at once, until `mend`; `to_port` may be another then.
    """

    def __init__(self, to_port: int) -> None:
        self.to_port = to_port
        self._is_cut = False
        self._is_open = asyncio.Event()
        self._is_answered = asyncio.Event()
        self.release()
        self._serving: set[asyncio.Task[None]] = set()
        self.port = 0
        self.held = bytearray()

    def hold(self, *, answers_too: bool = True) -> None:
        """From now on nothing arrives at the server, nor of its answers, and nobody is told so."""
        self.held.clear()
        self._is_open.clear()
        if answers_too:
            self._is_answered.clear()

    def release(self) -> None:
        """Everything arrives."""
        self._is_open.set()
        self._is_answered.set()

    async def cut(self) -> None:
        """From now on nobody comes through, and everybody is told so."""
        self._is_cut = True
        await self.close()

    def mend(self) -> None:
        """Whoever comes is let through again."""
        self._is_cut = False

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one connection."""
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        try:
            with suppress(OSError):
                if self._is_cut:
                    return
                await self._pass_on(reader, writer)
        finally:
            writer.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self.to_port)
        try:
            async with asyncio.TaskGroup() as both_ways:
                both_ways.create_task(self._copy(reader, to_server, self._is_open))
                both_ways.create_task(self._copy(from_server, writer, self._is_answered))
        finally:
            to_server.transport.abort()

    async def close(self) -> None:
        """Ends every connection."""
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passes: asyncio.Event) -> None:
        with suppress(OSError):  # one side has given up; ENOTCONN is no ConnectionError
            while text := await reader.read(65_536):
                if not passes.is_set():
                    self.held += text
                    await passes.wait()
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
