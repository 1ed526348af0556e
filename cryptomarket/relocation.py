"""Moving house: from the SQLite file of a trial to PostgreSQL, from the command line."""

import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

from sqlalchemy.engine import URL

from cryptomarket.accounts.tables import api_keys, person
from cryptomarket.db import Content, Copying, Database, Progress, Waits, checked, driver_url, metadata, opened, told
from cryptomarket.errors import StartRefused

LASTING = (person, api_keys)
BETWEEN_WORDS_S = 1.0
PATIENT = Waits()


class Narrator:
    """Says how far it is: each table's end, and a word a second in between."""

    def __init__(self, say: Callable[[str], None], *, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._say = say
        self._monotonic_s = monotonic_s
        self._said_s = float("-inf")

    def __call__(self, progress: Progress) -> None:
        now_s = self._monotonic_s()
        if progress.rows >= progress.of or now_s - self._said_s >= BETWEEN_WORDS_S:
            self._said_s = now_s
            self._say(f"{progress.table}: {progress.rows} of {progress.of} rows")


def _check_file(address: URL) -> None:
    if address.get_backend_name() == "sqlite" and not Path(address.database or "").is_file():
        raise StartRefused(f"There is no file {address.database}.")


async def copy_database(
    source_url: str | URL, target_url: str | URL, *, tell: Callable[[Progress], None], waits: Waits = PATIENT
) -> list[Content]:
    """Copies a store, which may be in use, into a PostgreSQL database that is made when there is none.

    May be run again: it goes on where it broke off, and takes what was added since. Raises StartRefused for what can't
    be, and when both don't hold the same at the end. A table takes as long as it takes, whatever `waits`
    says of answers.
    """
    unhurried = replace(waits, answer_s=None)
    source_address, target_address = driver_url(source_url), driver_url(target_url)
    if target_address.get_backend_name() == "sqlite":
        raise StartRefused("The target is a PostgreSQL database: postgresql://user@host:5432/name")
    if source_address == target_address:
        raise StartRefused("Source and target are the same database.")
    _check_file(source_address)
    async with AsyncExitStack() as stack:
        source = Database(source_address, waits=unhurried)
        stack.push_async_callback(source.close)
        with told(source_address, "--from"):
            exchange = await checked(source)
        await opened(target_address, exchange=exchange, waits=waits)
        target = Database(target_address, waits=unhurried)
        stack.push_async_callback(target.close)
        await stack.enter_async_context(target.held(shared=False))
        # The revisions that have run now declare the tables of every room.
        return await Copying(source, target, metadata.sorted_tables, lasting=LASTING, tell=tell).run()
