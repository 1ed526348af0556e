"""Several processes that serve readers at one port: real ones, one of which dies."""

import os
import signal
from contextlib import AsyncExitStack, suppress
from pathlib import Path

from __tests__.backplane.redis_server import free_port
from __tests__.journeys.gateway import reading
from __tests__.journeys.scaled import deployment, ready
from __tests__.journeys.witness import comes_true
from __tests__.postgres_server import PostgresServer

WORKERS = 2
# One of two who share a port gets none of so many connections once in two thousand times.
STREAMS = 12
LISTENS = "0A"


def children_of(pid: int) -> set[int]:
    """The processes that a process has started and not yet buried."""
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def is_alive(pid: int) -> bool:
    """Whether there is such a process."""
    return Path(f"/proc/{pid}").exists()


def listens(pid: int, port: int) -> bool:
    """Whether a process takes connections at a port of this machine (proc(5), /proc/net/tcp)."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ours = {f"socket:[{row[9]}]" for row in rows if row[3] == LISTENS and row[1].endswith(f":{port:04X}")}
    with suppress(OSError):  # it may end meanwhile
        return any(str(path.readlink()) in ours for path in Path(f"/proc/{pid}/fd").iterdir())
    return False


async def test_two_workers_share_a_port_and_one_that_is_killed_comes_back(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    """Promise: both serve readers; `kill -9` of one ends its streams and no others, and another takes its place; when
    told to end, all do.
    """
    async with deployment(tmp_path, postgres, "ingest1", "write1") as built, AsyncExitStack() as stack:
        port = free_port()
        gate = built.processes["api1"] = built.prepared("api1", app_port=str(port))
        gate.command = (*gate.command, "--workers", str(WORKERS))
        await gate.start()
        await ready(gate)
        assert gate.process is not None
        parent = gate.process.pid

        def listening() -> set[int]:
            return {pid for pid in children_of(parent) if listens(pid, port)}

        await comes_true(lambda: len(listening()) == WORKERS, within_s=30)
        first, second = listening()
        token, _ = await gate.login()
        readers = [await stack.enter_async_context(reading(gate, token, tickers="btc_usd")) for _ in range(STREAMS)]
        os.kill(first, signal.SIGKILL)
        await comes_true(lambda: any(reader.ended for reader in readers))
        await comes_true(lambda: len(listening() - {first}) == WORKERS, within_s=30)
        left = [reader for reader in readers if not reader.ended]
        assert 0 < len(left) < STREAMS
        for reader in left:
            await reader.next("message")
        os.kill(second, signal.SIGKILL)
        await comes_true(lambda: second not in listening())
        async with reading(gate, token, tickers="btc_usd") as late:
            await late.next("message")
        children = children_of(parent)
        assert await gate.stop() == 0
        assert not any(map(is_alive, children))
