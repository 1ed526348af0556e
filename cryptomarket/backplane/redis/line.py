"""Connections to one server: how many, how long an answer may take, and when to try again after a loss."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from typing import cast
from weakref import WeakKeyDictionary

import structlog
from redis.asyncio import Connection, ConnectionPool
from redis.asyncio.connection import AbstractConnection
from redis.backoff import AbstractBackoff
from redis.exceptions import AuthenticationError, InvalidResponse, NoScriptError, ReadOnlyError, ResponseError
from redis.exceptions import ConnectionError as LostConnection
from redis.exceptions import TimeoutError as LateAnswer

from cryptomarket.backplane.redis.address import Patience, WatchedPool
from cryptomarket.backplane.redis.answers import Answer, Command
from cryptomarket.errors import BusUnavailable

log = structlog.get_logger(__name__)

LOST = (LostConnection, LateAnswer, InvalidResponse, OSError, TimeoutError)


class Line:
    """Asks one server, or whichever a Sentinel names. Connects at the first call, and anew after each loss.

    Bound: as many connections as the pool may have; a call waits for a free one as long as for an answer. After a loss
    nobody tries for a while, by `backoff`: calls are refused at once meanwhile, so nobody waits for what is known to be
    away, and what is back is not run down.

    A primary that stood still or was cut off answers as if it were one when it is back, for as long as its Sentinel
    takes to tell it otherwise. So the Sentinel is asked now and then, and a connection that leads elsewhere is left.
    """

    def __init__(
        self,
        pool: ConnectionPool,
        patience: Patience,
        *,
        backoff: AbstractBackoff,
        monotonic_s: Callable[[], float],
    ) -> None:
        self.patience = patience
        self._pool = pool
        self._room = asyncio.Semaphore(pool.max_connections)
        self._backoff = backoff
        self._monotonic_s = monotonic_s
        self._losses = 0
        self._resting_until_s = 0.0
        # A connection from before a loss leads to where it led before. A primary that stood still goes on as if it were
        # one, while a Sentinel has long named another.
        self._losses_ever = 0
        self._losses_of: WeakKeyDictionary[AbstractConnection, int] = WeakKeyDictionary()
        self._is_first_try = False
        self._watched = pool if isinstance(pool, WatchedPool) and pool.is_master else None
        self._looked_s = monotonic_s()
        self._looking: asyncio.Task[None] | None = None

    async def ask(self, *commands: Command) -> list[Answer]:
        """Sends these commands together; their answers, in order.

        Raises BusUnavailable when the server can't be reached or won't serve; NoScriptError of redis-py when one of
        them runs a script that the server does not know.
        """
        connection = await self.take()
        try:
            with self.judging():
                async with asyncio.timeout(self.patience.timeout_s):
                    return await _asked(connection, commands)
        finally:
            await self.give_back(connection)

    async def take(self) -> AbstractConnection:
        """A connection of one's own, until it is given back. Raises BusUnavailable."""
        async with self._place_for_one(), AsyncExitStack() as undo:
            taken = cast("AbstractConnection", await self._pool.get_connection())  # type: ignore[no-untyped-call]
            undo.push_async_callback(self._pool.release, taken)
            await self._renew(taken)
            undo.pop_all()
        return taken

    async def take_new(self) -> AbstractConnection:
        """A connection that nobody had before and nobody has afterwards, until it is let go of. Raises
        BusUnavailable.
        """
        async with self._place_for_one(), AsyncExitStack() as undo:
            made = cast("AbstractConnection", self._pool.make_connection())  # type: ignore[no-untyped-call]
            undo.push_async_callback(made.disconnect, nowait=True)
            await made.connect()  # type: ignore[no-untyped-call]
            undo.pop_all()
        return made

    @asynccontextmanager
    async def _place_for_one(self) -> AsyncIterator[None]:
        """A place that is kept, unless it fails inside, where a connection is got. Raises BusUnavailable."""
        if self._monotonic_s() < self._resting_until_s:
            raise BusUnavailable("Redis is away.", retry_after_s=1.0)
        try:
            async with asyncio.timeout(self.patience.timeout_s):
                await self._room.acquire()
        except TimeoutError:
            raise BusUnavailable("Every connection to Redis is busy.", retry_after_s=1.0) from None
        with self.judging():
            async with AsyncExitStack() as undo:
                undo.callback(self._room.release)
                # A Sentinel is asked first, perhaps one after the other: all of that has one end.
                async with asyncio.timeout(self.patience.connect_timeout_s + self.patience.timeout_s):
                    yield
                undo.pop_all()

    async def _renew(self, connection: AbstractConnection) -> None:
        """Connects anew what was connected before the last loss, or leads elsewhere."""
        if self._losses_of.get(connection, self._losses_ever) != self._losses_ever or self.leads_elsewhere(connection):
            # Without waiting until it is closed: who is cancelled in that wait would cancel whoever waits beside him.
            await connection.disconnect(nowait=True)
            await connection.connect()  # type: ignore[no-untyped-call]
        self._losses_of[connection] = self._losses_ever

    def leads_elsewhere(self, connection: AbstractConnection) -> bool:
        """Whether a connection leads to what is no primary any more, by its Sentinel's last word."""
        if self._watched is None or not isinstance(connection, Connection):
            return False
        self._look(self._watched)
        return (connection.host, connection.port) != self._watched.master_address

    def _look(self, pool: WatchedPool) -> None:
        now_s = self._monotonic_s()
        if now_s - self._looked_s >= self.patience.look_s and (self._looking is None or self._looking.done()):
            self._looked_s = now_s
            self._looking = asyncio.create_task(self._asked_sentinel(pool))

    async def _asked_sentinel(self, pool: WatchedPool) -> None:
        """Learns the primary's address."""
        # Without a Sentinel, what is connected goes on.
        with suppress(*LOST, ResponseError):
            async with asyncio.timeout(self.patience.connect_timeout_s + self.patience.timeout_s):
                await pool.get_master_address()

    async def give_back(self, connection: AbstractConnection) -> None:
        """Others may use the connection now."""
        try:
            await self._pool.release(connection)
        finally:
            self._room.release()

    async def let_go(self, connection: AbstractConnection) -> None:
        """Closes a connection that was taken as a new one."""
        try:
            await connection.disconnect(nowait=True)
        finally:
            self._room.release()

    @contextmanager
    def judging(self) -> Iterator[None]:
        """What goes wrong inside is BusUnavailable, and counts. NoScriptError of redis-py passes."""
        try:
            yield
        except NoScriptError:
            raise
        except LOST as lost:
            self._losses_ever += 1
            self._lost(str(lost) or type(lost).__name__)
            raise BusUnavailable("Redis is away.") from lost
        except ResponseError as refused:
            if not self._is_first_try:
                log.warning("redis can't serve", reason=str(refused))
            # It is no primary (any more), so the primary is to be found anew. Out of a script, 6.2 tells it further on.
            self._losses_ever += isinstance(refused, ReadOnlyError) or "READONLY" in str(refused)
            raise BusUnavailable("Redis can't serve now.") from refused
        self._losses = 0

    def _lost(self, reason: str) -> None:
        now_s = self._monotonic_s()
        if now_s >= self._resting_until_s:
            self._losses += 1
            self._resting_until_s = now_s + self._backoff.compute(self._losses)
            if not self._is_first_try:
                log.warning("redis is away", reason=reason, losses=self._losses)

    async def try_once(self) -> None:
        """Connects, whatever was before. Raises AuthenticationError of redis-py when the server wants another password,
        BusUnavailable when it can't be reached.
        """
        self._resting_until_s = 0.0
        # Whoever begins says himself, and once, what came of it.
        self._is_first_try = True
        try:
            await self.ask(("PING",))
        except BusUnavailable as away:
            # redis-py wraps it on some of its ways.
            reason = away.__cause__
            while reason is not None and not isinstance(reason, AuthenticationError):
                reason = reason.__cause__
            if reason is not None:
                raise reason from None
            sentence = str(away.__cause__ or "") or "there is no answer"
            raise BusUnavailable(f"{sentence.rstrip('.')}.") from away
        finally:
            self._is_first_try = False

    async def close(self) -> None:
        """Closes every connection."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])
        await self._pool.aclose()
        if isinstance(self._pool, WatchedPool):
            await self._pool.sentinel_manager.aclose()


async def answer_of(connection: AbstractConnection) -> Answer:
    """The next answer on a connection. Raises what redis-py raises; the time is the caller's to watch."""
    return cast("Answer", await connection.read_response())


async def _asked(connection: AbstractConnection, commands: Sequence[Command]) -> list[Answer]:
    answers: list[Answer] = []
    refused: ResponseError | None = None
    async with AsyncExitStack() as undo:
        # Whoever has the connection next must not hear an answer to this.
        undo.push_async_callback(connection.disconnect, nowait=True)
        await connection.send_packed_command(connection.pack_commands(commands), check_health=False)
        for _ in commands:
            try:
                answers.append(await answer_of(connection))
            except ResponseError as error:
                refused = refused or error
        undo.pop_all()
    if refused is not None:
        raise refused
    return answers
