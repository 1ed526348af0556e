"""One connection: what is asked on it is answered, fails in time, or fails with it; never is anybody left waiting."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from __tests__.deribit.ears import BTC, applied, eventually
from cryptomarket.clock import Clock
from cryptomarket.deribit.connection import Connection
from cryptomarket.deribit.loss import Ended, reason_of
from cryptomarket.deribit.protocol import Conversation
from cryptomarket.errors import ExchangeFatal, ExchangeRetryable, ExchangeUnavailable
from cryptomarket.simulator.faults import Fault
from cryptomarket.simulator.server import RunningSimulator


class Diary:
    """What a connection called, in order."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.channels: list[str] = []

    def notice(self, channel: str, data: msgspec.Raw, received_us: int) -> None:
        assert bytes(data)
        assert received_us > 1_700_000_000_000_000
        self.channels.append(channel)
        self.said.append("notice")

    def saying(self, word: str) -> Callable[[], None]:
        return lambda: self.said.append(word)


@asynccontextmanager
async def connected(simulator: RunningSimulator, diary: Diary) -> AsyncIterator[tuple[Connection, asyncio.Task[None]]]:
    clock = Clock.system()
    socket = await connect(simulator.ws_url, compression=None, proxy=None, close_timeout=0.5)
    connection = Connection(
        socket,
        Conversation(heartbeat_s=10, now=clock.monotonic_s()),
        on_notice=diary.notice,
        on_garbled=lambda channel, reason: diary.said.append(f"garbled {channel}"),
        on_beat=diary.saying("beat"),
        on_spent=diary.saying("spent"),
        on_idle=diary.saying("idle"),
        clock=clock,
    )
    run = asyncio.create_task(connection.run())
    try:
        yield connection, run
    finally:
        run.cancel()
        await asyncio.wait([run])
        await connection.close()


async def test_it_introduces_us_and_beats(simulator: RunningSimulator) -> None:
    diary = Diary()
    async with connected(simulator, diary) as (connection, _):
        await connection.introduce(client_name="cryptomarket", client_version="2", timeout_s=5)
        [known] = simulator.exchange.connections.values()
        assert (known.client, known.heartbeat_s) == ("cryptomarket 2", 10)
        await eventually(lambda: "beat" in diary.said)
        assert connection.unanswered == 0


async def test_what_follows_an_answer_is_heard_after_it(simulator: RunningSimulator) -> None:
    diary = Diary()
    async with connected(simulator, diary) as (connection, _):
        await connection.request(
            "public/subscribe", {"channels": [BTC]}, timeout_s=5, then=lambda _: diary.said.append("then")
        )
        await eventually(lambda: "notice" in diary.said)
        assert diary.said.index("then") < diary.said.index("notice")
        assert diary.channels[0] == BTC


async def test_refusals_and_late_answers_end_only_their_question(simulator: RunningSimulator) -> None:
    simulator.add_faults(Fault(kind="mute", methods=("public/status",)))
    async with connected(simulator, Diary()) as (connection, run):
        with pytest.raises(ExchangeFatal):
            await connection.request("public/nothing", {}, timeout_s=5)
        with pytest.raises(ExchangeUnavailable, match="in time"):
            await connection.request("public/status", {}, timeout_s=0.1)
        assert int(bytes(await connection.request("public/get_time", {}, timeout_s=5))) > 0
        assert not run.done()
        assert connection.unanswered == 0


async def test_spent_credits_are_told_first_and_then_end_it(simulator: RunningSimulator) -> None:
    simulator.add_faults(Fault(kind="too_many_requests", methods=("public/get_time",)))
    diary = Diary()
    async with connected(simulator, diary) as (connection, run):
        with pytest.raises(ExchangeRetryable):
            await connection.request("public/get_time", {}, timeout_s=5)
        with pytest.raises(ExceptionGroup) as ended:
            await run
        assert reason_of(ended.value) == "the exchange counts no credits left"
        assert "spent" in diary.said


async def test_when_it_breaks_nobody_is_left_waiting(simulator: RunningSimulator) -> None:
    simulator.add_faults(Fault(kind="mute", methods=("public/get_time",)))
    async with connected(simulator, Diary()) as (connection, run):
        asking = [asyncio.create_task(connection.request("public/get_time", {}, timeout_s=60)) for _ in range(3)]
        await eventually(lambda: applied(simulator) == 3)
        simulator.add_faults(Fault(kind="drop"))
        for task in asking:
            with pytest.raises(ExchangeUnavailable, match="lost"):
                await task
        with pytest.raises(ExceptionGroup) as ended:
            await run
        assert ended.group_contains(ConnectionClosed)
        with pytest.raises(ExchangeUnavailable, match="lost"):
            await connection.request("public/get_time", {}, timeout_s=60)


async def test_an_asker_that_goes_away_is_forgotten(simulator: RunningSimulator) -> None:
    simulator.add_faults(Fault(kind="mute", methods=("public/get_time",), count=1))
    async with connected(simulator, Diary()) as (connection, run):
        asking = asyncio.create_task(connection.request("public/get_time", {}, timeout_s=60))
        await eventually(lambda: connection.unanswered == 1)
        asking.cancel()
        await asyncio.wait([asking])
        assert connection.unanswered == 0
        assert int(bytes(await connection.request("public/get_time", {}, timeout_s=5))) > 0
        assert not run.done()


def test_an_end_is_told_in_one_phrase() -> None:
    assert reason_of(ExceptionGroup("", [ConnectionClosed(None, None), Ended("why")])) == "why"
