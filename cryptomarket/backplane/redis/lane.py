"""The lane: one connection on which commands follow each other without waiting for the answer to the one before."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as LostConnection
from redis.exceptions import NoScriptError

from cryptomarket.backplane.redis.answers import Answer, Command
from cryptomarket.backplane.redis.line import Line, answer_of
from cryptomarket.backplane.redis.script import Script
from cryptomarket.errors import BusUnavailable

LIFE_S = 86_400


class Lane:
    """Runs one script again and again, in the order of calling. Bound: `window` calls are under way; the next waits.

    When the connection is lost, every call that was made until then has failed: none goes on where one before it is
    missing. Whether those that were under way were carried out is not known; but once the lane is open again they never
    will be: each opening writes a new number under the lane's `key`, and the script refuses what comes with an older
    one. (A server that was stopped for a while finds old commands in its sockets when it goes on.) No connection is
    used for a second lane, and none is connected anew: whoever still waits on the one before would share it.
    """

    def __init__(self, line: Line, script: Script, key: str, *, window: int, monotonic_s: Callable[[], float]) -> None:
        self._line = line
        self._script = script
        self._key = key
        self._monotonic_s = monotonic_s
        self._window = asyncio.Semaphore(window)
        self._sending = asyncio.Lock()
        self._hearing = asyncio.Lock()
        self._number = 0
        self._breaks = 0
        self._used_s = 0.0
        self._connection: AbstractConnection | None = None

    @property
    def is_broken(self) -> bool:
        """Whether it was open, and is not open again yet."""
        return self._number > 0 and self._connection is None

    async def open(self) -> None:
        """Opens it, if it is not open. Raises BusUnavailable."""
        async with AsyncExitStack() as undo:
            undo.push_async_callback(self._break, self._breaks)
            async with self._sending:
                await self._opened()
            undo.pop_all()

    async def run(self, command_of: Callable[[int], Command]) -> Answer:
        """The answer to the command that is made for the lane's number. Raises BusUnavailable."""
        breaks = self._breaks
        async with self._window, AsyncExitStack() as undo:
            # Also when this call is cancelled: its answer would be taken for the next one's.
            undo.push_async_callback(self._break, breaks)
            async with self._sending:
                self._refuse_if_broken_since(breaks)
                connection = await self._opened()
                if self._line.leads_elsewhere(connection):
                    raise BusUnavailable("Another Redis is the primary now.")
                await self._send(connection, command_of(self._number))
            # Nothing is awaited between: turns to hear are taken in the order of sending.
            async with self._hearing:
                self._refuse_if_broken_since(breaks)
                answer = await self._hear(connection)
            undo.pop_all()
        return answer

    async def _send(self, connection: AbstractConnection, *commands: Command) -> None:
        with self._line.judging():
            if not connection.is_connected:
                # The library would connect it anew, and those who wait would be told the answers to what comes next.
                raise LostConnection("The connection is closed.")
            async with asyncio.timeout(self._line.patience.timeout_s):
                await connection.send_packed_command(connection.pack_commands(commands), check_health=False)

    async def _hear(self, connection: AbstractConnection) -> Answer:
        try:
            with self._line.judging():
                async with asyncio.timeout(self._line.patience.timeout_s):
                    return await answer_of(connection)
        except NoScriptError as flushed:
            raise BusUnavailable("Redis has forgotten the script.") from flushed

    def _refuse_if_broken_since(self, breaks: int) -> None:
        if breaks != self._breaks:
            raise BusUnavailable("Redis was away.")

    async def _opened(self) -> AbstractConnection:
        now_s = self._monotonic_s()
        if self._connection is not None and now_s - self._used_s < LIFE_S / 2:
            self._used_s = now_s
            return self._connection
        await self._let_go()
        # Its own: somebody may still hear on the one before, and what the library does to that one when it fails must
        # not be done to this one.
        connection = await self._line.take_new()
        async with AsyncExitStack() as undo:
            undo.push_async_callback(self._line.let_go, connection)
            number = self._number + 1
            await self._send(
                connection, ("SCRIPT", "LOAD", self._script.text), ("SET", self._key, number, "EX", LIFE_S)
            )
            for _ in range(2):
                await self._hear(connection)
            undo.pop_all()
        self._number = number
        self._used_s = now_s
        self._connection = connection
        return connection

    async def _break(self, breaks: int) -> None:
        if breaks == self._breaks:
            self._breaks += 1
            await self._let_go()

    async def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await self._line.let_go(connection)

    async def close(self) -> None:
        """Ends it. What is under way has failed."""
        await self._break(self._breaks)
