"""Transactions that put many rows into a SQLite database, from a thread: one way there and back for each.

By the asynchronous driver each statement is several ways, and a way takes a turn of the loop. In a gateway whose core
is full a turn lasts milliseconds, and a batch of odd size is a dozen statements.
"""

import asyncio
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from sqlalchemy import Engine


class Storing:
    """One thread with one connection: who comes meanwhile waits, in order of arrival."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store")

    async def store(self, statements: Iterable[tuple[str, Sequence[object]]]) -> None:
        """Carries out all statements or none. Who is cancelled is told so when that has been decided, one way or the
        other. Raises what the library makes of the driver's errors.
        """
        asked = asyncio.get_running_loop().run_in_executor(self._thread, self._run, statements)
        try:
            await asyncio.shield(asked)
        except asyncio.CancelledError:
            while not asked.done():
                # Whoever insists is told no sooner.
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([asked])
            asked.exception()  # looked at: he has left
            raise

    def _run(self, statements: Iterable[tuple[str, Sequence[object]]]) -> None:
        with self._engine.begin() as connection:
            for statement, values in statements:
                connection.exec_driver_sql(statement, tuple(values))

    async def close(self) -> None:
        """Waits for what is being stored."""
        await asyncio.to_thread(self._thread.shutdown)
        self._engine.dispose()
