"""The control paths: what happened can be read, what shall happen can be posted."""

import json
from collections.abc import AsyncIterator

import pytest

from __tests__.simulator.wire import client, http
from cryptomarket.simulator.options import SimulatorOptions
from cryptomarket.simulator.server import RunningSimulator, running

CHANNEL = "deribit_price_index.btc_usd"


@pytest.fixture
async def simulator() -> AsyncIterator[RunningSimulator]:
    async with running(SimulatorOptions(port=0, index_period_s=0.1)) as found:
        yield found


async def test_the_state_counts_followers_and_openings(simulator: RunningSimulator) -> None:
    async with client(simulator) as one, client(simulator) as other:
        for plain in (one, other):
            await plain.ask("public/subscribe", channels=[CHANNEL])
        await one.ask("public/hello", client_name="test", client_version="1")
        credentials = {"grant_type": "client_credentials", "client_id": "demo-1"}
        await one.ask("public/auth", **credentials, client_secret="demo-1-secret")
        await one.ask("public/auth", **credentials, client_secret="wrong")
        status, state = await http(simulator, "GET", "/simulator/state")
    assert status == 200
    assert state["channels"] == {CHANNEL: 2}
    assert state["channels_opened"] == {CHANNEL: 2}
    assert (state["logins"], state["logins_refused"], state["errors"]) == (1, 1, {"13004": 1})
    assert [item["client"] for item in state["connections"]] == ["test 1", ""]
    assert state["connections"][0]["client_id"] == "demo-1"
    assert state["subscribe_calls"] == 2
    assert state["notifications_sent"] >= 1


async def test_faults_are_posted_listed_and_cleared(simulator: RunningSimulator) -> None:
    async with client(simulator) as plain:
        await plain.ask("public/subscribe", channels=[CHANNEL])
        await plain.notices(CHANNEL, 2)
        fault = {"kind": "malformed", "shape": "type", "duration_s": 60}
        assert await http(simulator, "POST", "/simulator/faults", json.dumps(fault).encode()) == (201, {"added": [1]})
        status, listed = await http(simulator, "GET", "/simulator/faults")
        assert (status, listed["faults"][0]["kind"], listed["faults"][0]["phase"]) == (200, "malformed", "on")
        while not isinstance((await plain.notices(CHANNEL, 1))[0]["price"], str):
            pass
        assert (await http(simulator, "DELETE", "/simulator/faults"))[0] == 200
        while isinstance((await plain.notices(CHANNEL, 1))[0]["price"], str):
            pass
    assert simulator.exchange.faults.report() == []


async def test_a_bad_script_is_refused_with_a_sentence(simulator: RunningSimulator) -> None:
    status, body = await http(simulator, "POST", "/simulator/faults", b'{"kind":"nonsense"}')
    assert status == 422
    assert "nonsense" in body["detail"]


async def test_the_log_can_be_switched_on_read_and_emptied(simulator: RunningSimulator) -> None:
    async with client(simulator) as plain:
        assert (await http(simulator, "POST", "/simulator/recording", b"true"))[1] == {"recording": True}
        await plain.ask("public/subscribe", channels=[CHANNEL])
        told = await plain.notices(CHANNEL, 3)
        _, log = await http(simulator, "GET", f"/simulator/sent?channel={CHANNEL}")
        assert [json.loads(entry["frame"])["params"]["data"] for entry in log["sent"]][:3] == told
        assert log["dropped"] == 0
        await http(simulator, "POST", "/simulator/recording", b"false")
        await http(simulator, "DELETE", "/simulator/sent")
        assert (await http(simulator, "GET", "/simulator/sent"))[1]["sent"] == []


async def test_watching_costs_no_connection_and_no_credits() -> None:
    async with running(SimulatorOptions(port=0, max_connections_per_address=1)) as simulator, client(simulator):
        for _ in range(3):
            assert (await http(simulator, "GET", "/simulator/state"))[0] == 200
        assert (await http(simulator, "GET", "/api/v2/public/get_time"))[0] == 429
        assert simulator.exchange.journal.requests == {}


async def test_control_can_be_switched_off() -> None:
    async with running(SimulatorOptions(port=0, control=False)) as simulator:
        assert (await http(simulator, "GET", "/simulator/state"))[0] == 404
