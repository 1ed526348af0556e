"""An end leaves nobody waiting, and says nothing that is no news."""

import asyncio
import json
import signal
from pathlib import Path

from __tests__.journeys.gateway import Gateway, running
from __tests__.journeys.witness import comes_true

PAIR = {"grant_type": "client_credentials", "client_id": "demo-1", "client_secret": "demo-1-secret"}
NO_NAME = "wss://exchange.invalid/ws/api/v2"


def events_of(gate: Gateway) -> list[str]:
    """What the log tells, by the event's name; every line of it is a line of the log, and no trace of an error."""
    lines = [line for line in gate.log_path.read_text().splitlines() if line.startswith("{")]
    assert "Traceback" not in gate.log_path.read_text()
    return [json.loads(line)["event"] for line in lines]


async def test_a_login_under_way_is_told_of_the_end(tmp_path: Path) -> None:
    """Promise: who waits for a login at Ctrl-C gets the problem document with his id at once, and the end is quick."""
    async with running(Gateway(tmp_path, is_new=True)) as gate:
        await gate.fault({"kind": "mute", "methods": ["public/auth"]})
        async with gate.client() as client:
            waiting = asyncio.create_task(client.post("/api/v2/auth/token", data=PAIR))

            async def is_asked() -> bool:
                [fault] = (await gate.simulator())["faults"]
                return bool(fault["applied"])

            await comes_true(is_asked)
            async with asyncio.timeout(5):
                assert await gate.stop(signal.SIGINT) == 0
                answer = await waiting
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"] == answer.json()["request_id"]
    assert int(answer.headers["retry-after"]) > 0
    events = events_of(gate)
    assert {"started", "request", "stopping"} <= set(events)
    assert events[-1] == "stopped"


async def test_without_a_network_the_end_is_silent(tmp_path: Path) -> None:
    """Promise: an exchange whose name can't be looked up is told of once, is said to who logs in at once, and leaves
    nothing to complain of at the end.
    """
    async with running(Gateway(tmp_path, {"EXCHANGE": "production", "DERIBIT_WS_URL": NO_NAME}, is_new=True)) as gate:

        async def is_told() -> bool:
            return "The exchange cannot be reached" in gate.log_path.read_text()

        await comes_true(is_told)
        async with gate.client() as client, asyncio.timeout(3):
            assert (await client.post("/api/v2/auth/token", data=PAIR)).status_code == 503
        async with asyncio.timeout(5):
            assert await gate.stop(signal.SIGINT) == 0
    events = events_of(gate)
    assert not [event for event in events if "never retrieved" in event]
    assert len([event for event in events if event.startswith("The exchange cannot be reached")]) == 1
    assert events[-1] == "stopped"
