"""Looks at a SQLite database from threads: one way to a thread and back, however many questions are put there."""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar, cast

from sqlalchemy import Connection, Engine

T = TypeVar("T")

INSIST_S = 0.02


class Looking:
    """At most `at_once` looks together; whoever comes then waits for a thread, in order of arrival."""

    def __init__(self, engine: Engine, *, at_once: int) -> None:
        self._engine = engine
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="look")

    async def look(self, ask: Callable[[Connection], T]) -> T:
        """What `ask` makes of one state of the database. Whoever is cancelled breaks off the question that is being
        answered, and has let go of its connection when he is told.
        """
        looks = _Look(self._engine, ask)
        asked: asyncio.Future[T] = asyncio.get_running_loop().run_in_executor(self._threads, looks.run)
        try:
            return await asyncio.shield(asked)
        except asyncio.CancelledError:
            _insist(looks, asked)
            asked.add_done_callback(lambda done: None if done.cancelled() else done.exception())
            raise

    async def close(self) -> None:
        """Waits for those who look."""
        await asyncio.to_thread(self._threads.shutdown)
        self._engine.dispose()


def _insist(looks: "_Look[T]", asked: "asyncio.Future[T]") -> None:
    """Breaks a look off until it is over: SQLite forgets an interruption that comes while no statement runs, as between
    two of them, or before the first (sqlite.org/c3ref/interrupt.html).
    """
    if not asked.done():
        looks.break_off()
        asyncio.get_running_loop().call_later(INSIST_S, _insist, looks, asked)


class _Look(Generic[T]):
    """One look, in its thread."""

    def __init__(self, engine: Engine, ask: Callable[[Connection], T]) -> None:
        self._engine = engine
        self._ask = ask
        self._driver: sqlite3.Connection | None = None
        self._is_broken_off = False

    def run(self) -> T:
        with self._engine.connect() as connection:
            driver = self._driver = cast("sqlite3.Connection", connection.connection.driver_connection)
            try:
                if self._is_broken_off:
                    raise asyncio.CancelledError
                # Whoever asks by the library, or by the driver, asks in this one; the pool ends it.
                driver.execute("BEGIN")
                return self._ask(connection)
            finally:
                self._driver = None

    def break_off(self) -> None:
        self._is_broken_off = True
        if (driver := self._driver) is not None:
            driver.interrupt()
