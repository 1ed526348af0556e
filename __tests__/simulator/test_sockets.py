"""The TCP side: handshakes, compression, drops, stalls, and frames that no server should send."""

import asyncio

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from __tests__.simulator.wire import DEADLINE_S, client, until
from cryptomarket.simulator.faults import Fault
from cryptomarket.simulator.options import SimulatorOptions
from cryptomarket.simulator.server import RunningSimulator, running

CHANNEL = "ticker.BTC-PERPETUAL.100ms"
OPTIONS = SimulatorOptions(port=0)


async def test_deflate_is_answered_as_deribit_does() -> None:
    async with running(OPTIONS) as simulator, connect(simulator.ws_url, ping_interval=None) as socket:
        response = socket.response
        assert response is not None
        assert response.headers["Sec-WebSocket-Extensions"] == "permessage-deflate; client_max_window_bits=15"


@pytest.mark.parametrize("compressed", [False, True])
async def test_frames_arrive_with_and_without_compression(compressed: bool) -> None:
    async with running(OPTIONS) as simulator, client(simulator, compressed=compressed) as plain:
        await plain.ask("public/subscribe", channels=[CHANNEL])
        assert len(await plain.notices(CHANNEL, 4)) == 4
        instruments = await plain.ask("public/get_instruments")
        assert len(instruments["result"]) > 500


async def test_fragments_are_put_together() -> None:
    async with running(OPTIONS) as simulator, client(simulator) as plain:
        await plain.socket.send(iter(['{"id":1,', '"method":', '"public/test"}']))
        assert (await plain.receive())["result"] == {"version": "1.2.26"}


async def test_another_path_is_not_found() -> None:
    async with running(OPTIONS) as simulator:
        with pytest.raises(InvalidStatus) as refused:
            await connect(simulator.ws_url.replace("v2", "v3"))
        assert refused.value.response.status_code == 404


async def test_the_33rd_connection_gets_429() -> None:
    async with running(SimulatorOptions(port=0, max_connections_per_address=32)) as simulator:
        sockets = [await connect(simulator.ws_url, ping_interval=None) for _ in range(32)]
        with pytest.raises(InvalidStatus) as refused:
            await connect(simulator.ws_url)
        assert refused.value.response.status_code == 429
        await sockets.pop().close()
        await until(simulator, lambda state: len(state["connections"]) == 31)
        async with connect(simulator.ws_url):
            assert len(simulator.exchange.connections) == 32
        for socket in sockets:
            await socket.close()


async def test_a_drop_is_seen_as_1006() -> None:
    async with running(OPTIONS) as simulator, client(simulator) as plain:
        await plain.ask("public/test")
        simulator.add_faults(Fault(kind="drop"))
        with pytest.raises(ConnectionClosedError):
            await plain.closed()
        assert plain.socket.close_code == 1006


async def test_a_close_code_arrives() -> None:
    async with running(OPTIONS) as simulator, client(simulator) as plain:
        await plain.ask("public/test")
        simulator.add_faults(Fault(kind="drop", close_code=4000))
        with pytest.raises(ConnectionClosedError):
            await plain.closed()
        assert plain.socket.close_code == 4000


async def test_a_stall_holds_everything_back_and_loses_nothing() -> None:
    async with running(SimulatorOptions(port=0, recording=True)) as simulator, client(simulator) as plain:
        await plain.ask("public/subscribe", channels=[CHANNEL])
        await plain.notices(CHANNEL, 2)
        simulator.add_faults(Fault(kind="stall", duration_s=1.0))
        began = asyncio.get_running_loop().time()
        await plain.notices(CHANNEL, 2)
        held_s = asyncio.get_running_loop().time() - began
        times = [message["params"]["data"]["timestamp"] for message in plain.messages if "params" in message]
        assert times == sorted(set(times))
        assert 0.5 < held_s < DEADLINE_S


async def test_a_frame_that_breaks_the_protocol() -> None:
    async with running(OPTIONS) as simulator, client(simulator) as plain:
        await plain.ask("public/subscribe", channels=[CHANNEL])
        simulator.add_faults(Fault(kind="malformed", shape="frame", count=1))
        with pytest.raises(ConnectionClosedError):
            await plain.closed()


async def test_text_that_breaks_off() -> None:
    async with running(OPTIONS) as simulator, client(simulator) as plain:
        await plain.ask("public/subscribe", channels=[CHANNEL])
        simulator.add_faults(Fault(kind="malformed", count=1))
        with pytest.raises(ValueError, match=r"Unterminated|Expecting|Invalid"):
            await plain.notices(CHANNEL, 20)
        assert len(await plain.notices(CHANNEL, 2)) == 2, "the connection lives on"


async def test_a_reader_that_does_not_read_is_dropped() -> None:
    options = SimulatorOptions(port=0, rate=5_000, max_buffer_bytes=200_000)
    async with running(options) as simulator, client(simulator) as plain:
        await plain.ask("public/subscribe", channels=[CHANNEL])
        plain.socket.transport.pause_reading()
        await until(simulator, lambda state: not state["connections"])


async def test_nothing_stays_behind_when_it_stops() -> None:
    async with running(OPTIONS) as simulator, client(simulator) as plain:
        await plain.ask("public/test")
        await simulator.stop()
        with pytest.raises(ConnectionClosedError):
            await plain.closed()
    assert isinstance(simulator, RunningSimulator)
    assert not simulator.exchange.connections
