"""After many rounds of coming, going and trouble, everything is back where it was: nothing is held for nobody."""

import asyncio
from contextlib import suppress
from pathlib import Path

from __tests__.journeys.gateway import Gateway, Json
from __tests__.journeys.house import census, house
from __tests__.journeys.light import light_reader, lightly_reading
from __tests__.journeys.witness import comes_true, scene
from cryptomarket.accounts.stream_places import StreamPlace
from cryptomarket.backplane.memory import MemoryCache
from cryptomarket.live.mailbox import LatestMailbox, LogMailbox
from cryptomarket.live.seat import Seat
from cryptomarket.live.stream import Stream
from cryptomarket.simulator.faults import Fault
from cryptomarket.simulator.server import RunningSimulator

WARMING_ROUNDS = 3
ROUNDS = 6
STREAMS = 8
# Three files for each connection: at most eight readers, the writer, and the lock.
DATABASE_FILES = 3 * 9 + 1
WISHES = [
    {"tickers": "btc_usd"},
    {"tickers": "BTC-PERPETUAL,eth_usd", "mode": "latest"},
    {"tickers": "ETH-PERPETUAL", "timer": "0.1"},
    {"tickers": "sol_usdc", "lifetime": "1"},
    {},
]
REFUSED = [
    ({"tickers": "no_such"}, 404),
    ({"tickers": "btc_usd", "timer": "0"}, 422),
    ({"tickers": "btc_usd", "lifetime": "1e9"}, 422),
    ({"tickers": ","}, 400),
]
TROUBLES = [
    Fault(kind="drop"),
    Fault(kind="drop", close_code=1001),
    Fault(kind="malformed", shape="frame", count=1),
    Fault(kind="duplicate", count=5),
]


async def refused(gate: Gateway, token: str, number: int) -> None:
    """What is refused before a stream opens takes no place."""
    async with gate.client(token) as client:
        for query, status in REFUSED:
            answer = await client.get("/api/v2/sse/connection", params=query)
            assert answer.status_code == status, answer.text
    async with gate.client() as stranger:
        wrong = {"X-Client-Id": f"demo-{9000 + number}", "X-Secret-key": "wrong"}
        assert (await stranger.get("/api/v2/sse/connection", headers=wrong)).status_code == 401


async def one_round(gate: Gateway, simulator: RunningSimulator, number: int) -> None:
    """Logins, a set that changes, streams of every kind that end in every way, and trouble at the exchange."""
    token, _ = await gate.login(2)
    async with gate.client(token) as client:
        for name in ("BTC-PERPETUAL", "xrp_usdc"):
            assert (await client.put(f"/api/v2/subscriptions/{name}")).status_code in {200, 201}
        readers = [await light_reader(gate, token, WISHES[turn % len(WISHES)]) for turn in range(STREAMS)]
        unread = await light_reader(gate, token, {"tickers": "btc_usd"})
        unread.leave()
        await refused(gate, token, number)
        for reader in readers:
            await reader.until_told("connected")
        simulator.add_faults(TROUBLES[number % len(TROUBLES)])
        for reader in readers[: STREAMS // 2]:
            reader.leave()
        assert (await client.delete("/api/v2/subscriptions")).status_code == 200
        async with lightly_reading(gate, token, tickers="btc_usd") as returned:
            await returned.until_told("message", 2)
        assert (await client.post("/api/v2/auth/revoke")).status_code == 200
    for reader in readers[STREAMS // 2 :]:
        await reader.until_ended()
        assert reader.blocks[-1].name == "disconnected"
    simulator.clear_faults()


def open_files(gate: Gateway) -> int:
    """How many file descriptors the gateway's process has. Those of its database are a pool, which grows with what was
    asked at once, to a bound of its own.
    """
    assert gate.process is not None
    names = []
    for descriptor in Path(f"/proc/{gate.process.pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            names.append(descriptor.readlink().name)
    of_database = [name for name in names if ".sqlite3" in name]
    assert len(of_database) <= DATABASE_FILES
    return len(names) - len(of_database)


async def test_a_process_comes_back_to_where_it_was(tmp_path: Path) -> None:
    """Promise: after rounds of streams, logins, set changes and faults, descriptors, sessions, stream places, channels
    at the exchange and open gaps are what they were before.
    """
    async with scene(tmp_path, {"saved_set_life_s": "2", "demand_life_s": "2"}) as running:
        gate, simulator = running.gate, running.simulator
        operator = await gate.operator()
        async with gate.client(operator) as client:

            async def standing() -> dict[str, Json]:
                told = (await client.get("/api/v2/operation")).json()
                return {
                    "sessions": [slot["session_state"] for slot in told["slots"]],
                    "wanted": told["wanted"],
                    "held": told["held"],
                    "streams": told["streams"]["open"],
                    "behind": told["streams"]["behind"],
                    "gaps open": told["gaps_open"],
                    "connections": len(simulator.exchange.connections),
                    "channels": simulator.exchange.subscriptions.followers(),
                }

            async def at_rest(most_files: int | None = None) -> dict[str, Json] | None:
                now = await standing()
                quiet = now["streams"] == 0 and now["held"] == ["btc_usd", "eth_usd"] and now["gaps open"] == 0
                settled = quiet and set(now["sessions"]) == {"ready"} and len(now["channels"]) == len(now["held"]) + 2
                return now if settled and (most_files is None or open_files(gate) <= most_files) else None

            for number in range(WARMING_ROUNDS):
                await one_round(gate, simulator, number)
            before = await comes_true(at_rest)
            files = open_files(gate)
            for number in range(ROUNDS):
                await one_round(gate, simulator, number)
            after = await comes_true(lambda: at_rest(files))
            assert after == before


async def test_memory_holds_nothing_for_those_who_left(tmp_path: Path) -> None:
    """Promise: tasks, seats, mailboxes, streams, places and short-lived values are what they were before."""
    async with house(tmp_path, saved_set_life_s=2, demand_life_s=2, keep_alive_s=1) as home:
        for number in range(WARMING_ROUNDS):
            await one_round(home.gate, home.simulator, number)

        def standing() -> dict[str, int]:
            tasks = asyncio.all_tasks()
            kinds = census(Seat, LogMailbox, LatestMailbox, Stream, StreamPlace, MemoryCache)
            return {**kinds, "tasks": len(tasks), "seats": len(home.runtime.hub.seats)}

        def emptied(most_tasks: int | None = None) -> dict[str, int] | None:
            # The census stops everything for as long as it takes: it waits for what is quick to count.
            if home.runtime.hub.seats or (most_tasks is not None and len(asyncio.all_tasks()) > most_tasks):
                return None
            now = standing()
            return now if now["Seat"] == now["Stream"] == now["StreamPlace"] == now["seats"] == 0 else None

        before = await comes_true(emptied)
        for number in range(ROUNDS):
            await one_round(home.gate, home.simulator, number)
        await comes_true(lambda: emptied(before["tasks"]), within_s=30)
        assert standing()["LogMailbox"] == standing()["LatestMailbox"] == 0
