"""Everything together in one process: built in order, ended in order, and loud when a part dies."""

import asyncio
import socket
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from cryptomarket.errors import StartRefused
from cryptomarket.history.writer import Writer
from cryptomarket.ingest.publisher import Publisher
from cryptomarket.live.hub import Hub
from cryptomarket.live.relay import Relay
from cryptomarket.operation import OperationParts
from cryptomarket.runtime import Runtime, running
from cryptomarket.settings import Settings
from cryptomarket.simulator.options import SimulatorOptions
from cryptomarket.simulator.server import RunningSimulator
from cryptomarket.simulator.server import running as simulating

NOBODY = "ws://127.0.0.1:9/ws/api/v2"
LOOK_S = 0.02


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A small gateway in a folder of its own."""
    return Settings(
        data_dir=tmp_path, project_mode="testing", pool_size=3, login_slots=1, demand_check_s=0.1,
        session_backoff_base_s=0.05, session_backoff_cap_s=0.2,
    )  # fmt: skip


@pytest.fixture
async def simulator() -> AsyncIterator[RunningSimulator]:
    """An exchange that speaks ten times a second."""
    async with simulating(SimulatorOptions(port=0, index_period_s=0.1)) as running_simulator:
        yield running_simulator


async def reached(hub: Hub, seq: int) -> None:
    """Waits until so much was published."""
    async with asyncio.timeout(10):
        await hub.reached(seq)


async def comes_true(condition: Callable[[], bool]) -> None:
    """Waits for something that announces itself nowhere."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(LOOK_S)  # sleep: between two looks


def stored(settings: Settings) -> list[tuple[str, int]]:
    """What the store has of the log: epoch and sequence of each publication, in order."""
    with sqlite3.connect(settings.database_path) as connection:
        rows = [
            connection.execute(f"SELECT epoch, seq FROM crypto_{name} WHERE epoch IS NOT NULL").fetchall()
            for name in ("price_tickers", "statuses", "gaps")
        ]
    return sorted(row for of_table in rows for row in of_table)


def operation_of(runtime: Runtime) -> OperationParts:
    """What the running parts say of themselves."""
    told = runtime.state["operation"]
    assert isinstance(told, OperationParts)
    return told


async def test_what_was_heard_is_stored_at_an_orderly_end(settings: Settings, simulator: RunningSimulator) -> None:
    """Promise: nothing that was published is lost at an orderly end, however short before it was published."""
    async with running(settings, ws_url=simulator.ws_url) as runtime:
        await reached(runtime.hub, 20)
    position = runtime.hub.position
    rows = stored(settings)
    assert {epoch for epoch, _ in rows} == {position.epoch}
    assert [seq for _, seq in rows] == list(range(1, position.seq + 1))
    await comes_true(lambda: not simulator.state()["connections"])


async def test_each_life_is_an_epoch(settings: Settings, simulator: RunningSimulator) -> None:
    """Promise: no position ever names two events, so each start has an epoch of its own, after the one before."""
    epochs = []
    for _ in range(2):
        async with running(settings, ws_url=simulator.ws_url) as runtime:
            await reached(runtime.hub, 2)
            epochs.append(runtime.hub.position.epoch)
    assert epochs == sorted(set(epochs))
    assert len(set(epochs)) == 2
    assert {epoch for epoch, _ in stored(settings)} == set(epochs)


async def dies(_self: object) -> None:
    """A part that does not live long."""
    await asyncio.sleep(0.2)  # sleep: a part does not die at once
    raise RuntimeError("a part of the machine is broken")


@asynccontextmanager
async def until_it_ends(settings: Settings, ws_url: str) -> AsyncIterator[Runtime]:
    """Runs for ever, as the server would."""
    async with running(settings, ws_url=ws_url) as runtime:
        yield runtime
        await asyncio.Event().wait()


@pytest.mark.parametrize(("part", "name"), [(Publisher, "feed"), (Writer, "writer"), (Relay, "relay")])
async def test_a_part_that_dies_takes_the_process_with_it(
    settings: Settings,
    simulator: RunningSimulator,
    monkeypatch: pytest.MonkeyPatch,
    part: type,
    name: str,
) -> None:
    """Promise: half-alive is no state of ours: whichever part dies, all ends at once, and the log says of what."""
    monkeypatch.setattr(part, "run", dies)
    began_s = asyncio.get_running_loop().time()
    with pytest.raises(ExceptionGroup) as ended, capture_logs() as lines:
        async with asyncio.timeout(10), until_it_ends(settings, simulator.ws_url):
            pass
    assert asyncio.get_running_loop().time() - began_s < 4
    assert ended.group_contains(RuntimeError, match="broken")
    [line] = [line for line in lines if line["log_level"] == "critical"]
    assert line["part"] == name


async def is_cancelled_by_nobody(_self: object) -> None:
    """A part that waits for what somebody else has waited for, and has left."""
    await asyncio.sleep(0.2)  # sleep: a part does not end at once
    shared: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    shared.cancel()
    await shared


async def test_a_part_that_is_cancelled_by_nobody_takes_the_process_with_it(
    settings: Settings, simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Promise: no part ends in silence, also not by a cancellation that strayed into it."""
    monkeypatch.setattr(Publisher, "run", is_cancelled_by_nobody)
    with pytest.raises(ExceptionGroup) as ended, capture_logs() as lines:
        async with asyncio.timeout(10), until_it_ends(settings, simulator.ws_url):
            pass
    assert ended.group_contains(RuntimeError, match="The part feed was cancelled")
    assert [line["part"] for line in lines if line["log_level"] == "critical"] == ["feed"]


async def test_a_store_that_is_away_holds_up_no_end(settings: Settings, simulator: RunningSimulator) -> None:
    """Promise: with the database locked by another, the end comes some seconds later, and does not wait for ever."""
    settings = settings.model_copy(update={"farewell_timeout_s": 0.3, "sqlite_busy_timeout_s": 0.3})
    blocker: sqlite3.Connection | None = None
    try:
        async with asyncio.timeout(20), running(settings, ws_url=simulator.ws_url) as runtime:
            await reached(runtime.hub, 5)
            blocker = sqlite3.connect(settings.database_path, isolation_level=None)
            blocker.execute("BEGIN IMMEDIATE")
            await reached(runtime.hub, runtime.hub.position.seq + 5)
            began_s = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - began_s < 5
    finally:
        if blocker is not None:
            blocker.close()


async def test_a_wrong_store_starts_nothing(settings: Settings) -> None:
    """Promise: a store that cannot be used is refused before any part is begun."""
    settings.database_path.write_text("no database")
    with pytest.raises(StartRefused, match="cannot be opened"):
        async with running(settings, ws_url=NOBODY):
            pytest.fail("it has started")


async def test_it_comes_back_when_the_exchange_does(settings: Settings) -> None:
    """Promise: started without its exchange it runs, and begins to hear when the exchange is there."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    async with running(settings, ws_url=f"ws://127.0.0.1:{port}/ws/api/v2") as runtime:
        assert not operation_of(runtime).reachable()
        async with simulating(SimulatorOptions(port=port, index_period_s=0.1)):
            await comes_true(operation_of(runtime).reachable)
            await reached(runtime.hub, 2)
    assert stored(settings)
