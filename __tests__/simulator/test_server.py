"""The whole simulator over real sockets: a session from login to logout, and a load."""

import asyncio

import pytest
from websockets.exceptions import ConnectionClosedError

from __tests__.simulator.talk import validate_reply
from __tests__.simulator.wire import DEADLINE_S, Client, client
from cryptomarket.simulator.accounts import websocket_signature
from cryptomarket.simulator.faults import Fault
from cryptomarket.simulator.options import SimulatorOptions
from cryptomarket.simulator.server import running, serve

CHANNEL = "ticker.BTC-PERPETUAL.raw"


async def test_a_session_from_login_to_logout() -> None:
    async with running(SimulatorOptions(port=0)) as simulator, client(simulator) as plain:
        stamp = simulator.now_us() // 1000
        signature = websocket_signature("demo-9-secret", str(stamp), "n", "")
        login = await plain.ask(
            "public/auth", grant_type="client_signature", client_id="demo-9", timestamp=stamp, nonce="n",
            signature=signature, scope="account:read connection expires:60",
        )  # fmt: skip
        validate_reply("public/auth", login)
        person = await plain.ask("private/get_account_summary", currency="BTC", extended=True)
        assert person["result"]["email"] == "demo-9@example.com"
        assert (await plain.ask("public/subscribe", channels=[CHANNEL]))["result"] == [CHANNEL]
        assert len(await plain.notices(CHANNEL, 3)) == 3
        await plain.socket.send('{"jsonrpc":"2.0","id":99,"method":"private/logout","params":{}}')
        assert await plain.closed() == (1000, "")
        assert simulator.exchange.connections == {}


async def test_heartbeats_over_a_socket() -> None:
    options = SimulatorOptions(port=0, heartbeat_scale=0.03)
    async with running(options) as simulator, client(simulator) as plain:
        await plain.ask("public/set_heartbeat", interval=10)
        types = [(await plain.receive())["params"]["type"] for _ in range(2)]
        assert types == ["heartbeat", "test_request"]
        await plain.ask("public/test")
        with pytest.raises(ConnectionClosedError):
            await plain.closed()
        assert (plain.socket.close_code, plain.socket.close_reason) == (4000, "heartbeat close")


async def test_a_script_given_at_the_start_runs_by_itself() -> None:
    options = SimulatorOptions(port=0, faults=(Fault(kind="refuse_logins", code=11051),))
    async with running(options) as simulator, client(simulator) as plain:
        reply = await plain.ask("public/auth", grant_type="refresh_token", refresh_token="x")
        assert reply["error"]["code"] == 11051


async def test_a_load_reaches_every_reader() -> None:
    """Two readers, five channels, 2000 notifications a second: nobody misses one."""
    channels = [f"ticker.{name}-PERPETUAL.100ms" for name in ("BTC", "ETH", "SOL_USDC", "XRP_USDC", "ADA_USDC")]
    options = SimulatorOptions(port=0, rate=2_000)
    async with running(options) as simulator, client(simulator) as one, client(simulator) as two:
        readers = (one, two)
        for reader in readers:
            await reader.ask("public/subscribe", channels=channels)

        async def read(reader: Client) -> None:
            while len(reader.messages) < 1_000:
                await reader.receive()

        async with asyncio.timeout(DEADLINE_S):
            await asyncio.gather(*(read(reader) for reader in readers))
    for reader in readers:
        told = [message["params"] for message in reader.messages if "params" in message]
        for channel in channels:
            times = [params["data"]["timestamp"] for params in told if params["channel"] == channel]
            assert times == sorted(times)
            assert len(times) > 100


async def test_serve_says_where_it_listens_and_stops_when_told() -> None:
    stop, where = asyncio.Event(), asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(SimulatorOptions(port=0), ready=lambda *at: where.set_result(at), stop=stop))
    async with asyncio.timeout(DEADLINE_S):
        host, port = await where
        assert host == "127.0.0.1"
        assert port > 0
        stop.set()
        await task
