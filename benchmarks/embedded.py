"""The product as one process with everything in it, and SQLite."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.deployment import (
    ROOM,
    SERVING,
    Deployment,
    Shape,
    command,
    minted,
    over,
    simulated,
    wait_until_ready,
)
from benchmarks.processes import SERVER_CORE, environment, program


@contextmanager
def embedded(folder: Path, *options: str, shape: Shape = SERVING, **settings: str) -> Iterator[Deployment]:
    """See `Form`. There is one process, so all of it is measured, whatever else the shape says."""
    given = over(ROOM, settings, folder)
    with simulated(folder, *options, silent=shape.is_silent_at_first) as exchange:
        token = minted(folder, given)
        database = folder / "data" / "simulator-testing.sqlite3"
        url = f"sqlite:///{database}"
        if shape.prepare is not None:
            shape.prepare(url)
        own = environment(DERIBIT_WS_URL=exchange.ws_url, **given)
        with program(command("serve"), folder / "gateway.log", core=SERVER_CORE, environment=own) as gateway:
            port = int(gateway.said(r"health http://[^:]+:(\d+)/health")[1])
            # The catalogue first: names that differ in case alone are told apart by it.
            wait_until_ready(port, but="exchange" if shape.is_silent_at_first else None)
            yield Deployment(port, {"gateway": gateway}, {}, token, exchange, lambda: _rows_of(database), url)


def _rows_of(database: Path) -> int:
    """Ticks in the database. Reading does not stop the writer (SQLite, WAL)."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        return int(connection.execute("SELECT count(*) FROM crypto_price_tickers").fetchone()[0])
    finally:
        connection.close()
