"""The product as processes: who serves readers, who hears the exchange, who stores; on a Redis and a PostgreSQL."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
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
from benchmarks.processes import OTHER_CORE, SERVER_CORE, Program, environment, free_port, program
from benchmarks.servers import OWNER, postgres, redis

DATABASE = "cryptomarket_testing"
TICKS = "crypto.price_tickers"
_DEPLOYED = {
    "EXCHANGE": "simulator",
    "DEBUG": "False",
    "SEAL_SECRET": "a seal secret of a deployment that is measured",
    "TOKEN_KEY": "a token key of a deployment that is measured",
    "POSTGRES_HOST": "127.0.0.1",
    "POSTGRES_USER": OWNER,
    "POSTGRES_DB": DATABASE,
}


@contextmanager
def scaled(folder: Path, *options: str, shape: Shape = SERVING, **settings: str) -> Iterator[Deployment]:
    """See `Form`. One process hears, one stores, `shape.apis` serve readers."""
    with ExitStack() as stack:
        memory = stack.enter_context(redis(folder))
        database = stack.enter_context(postgres())
        servers = {"redis": memory.program, "postgres": database.program}
        given = over({**ROOM, **_DEPLOYED}, settings, folder)
        given |= {"REDIS_URL": f"redis://127.0.0.1:{memory.port}/0", "POSTGRES_PORT": str(database.port)}
        token = minted(folder, given)
        url = f"postgresql://{OWNER}@127.0.0.1:{database.port}/{DATABASE}"
        if shape.prepare is not None:
            shape.prepare(url)
        exchange = stack.enter_context(simulated(folder, *options, silent=shape.is_silent_at_first))
        given["DERIBIT_WS_URL"] = exchange.ws_url
        ports = {role: free_port() for role in ("ingest", "write", *(["api"] if shape.apis else []))}
        measured: dict[str, Program] = {}
        for role, port in ports.items():
            core = SERVER_CORE if role in shape.measured else OTHER_CORE
            words = command("serve", "--role", role)
            if role == "api" and shape.apis > 1:
                words += ["--workers", str(shape.apis)]
            own = environment(**{**given, "APP_PORT": str(port)})
            started = stack.enter_context(program(words, folder / f"{role}.log", core=core, environment=own))
            (measured if role in shape.measured else servers)[role] = started
        for helper in shape.helpers:
            words = [sys.executable, "-m", f"cryptomarket.{helper}"]
            own = environment(**{**given, "DATA_DIR": str(folder / helper)})
            log = folder / f"{helper}.log"
            servers[helper] = stack.enter_context(program(words, log, core=OTHER_CORE, environment=own))
        for role, port in ports.items():
            but = "exchange" if shape.is_silent_at_first and role == "ingest" else None
            wait_until_ready(port, but=but)
        yield Deployment(
            ports.get("api", 0), measured, servers, token, exchange, lambda: database.count(DATABASE, TICKS), url
        )
