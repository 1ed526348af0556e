"""Two ways to a reader, past ASGI and through it: one behaviour, byte for byte, as it comes out of a socket.

One application is served twice on loopback, by the gateway's own connections and by the library's, which know no line,
so that sse-starlette writes there. Both have the same hub. What is told of time or drawn at random is given to both.
"""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from __tests__.examples import examples
from __tests__.live.served import PATH, Listening, Served, gate_of, listening
from __tests__.live.wire import WireClient, small_listener
from __tests__.live.world import (
    DEADLINE_S,
    EPOCH,
    FENCE,
    QUIET,
    START_MS,
    Json,
    Way,
    eventually,
    gap,
    house,
    status,
    tick,
    turns,
)
from cryptomarket.accounts.tokens import Scope
from cryptomarket.backplane.bus import Outgoing
from cryptomarket.backplane.memory import MemoryBus
from cryptomarket.errors import NotFound
from cryptomarket.live.events import frame_of
from cryptomarket.live.mailbox import LatestMailbox, LogMailbox
from cryptomarket.live.stream import StreamLimits
from cryptomarket.market.ticks import FeedState
from cryptomarket.market.wire import Publication
from cryptomarket.server import Wire

TICKERS = ("btc_usd", "eth_usd", "BTC-PERPETUAL")
FIXED = TICKERS[:2]
KINDS = ("tick", "tick", "status", "gap")
BEAT_S = 0.05
LIMITS = replace(QUIET, keep_alive_s=BEAT_S, ahead_s=0.05, farewell_s=5.0, lifetime_s=1000.0)
batch = st.lists(st.tuples(st.sampled_from(KINDS), st.sampled_from(TICKERS)), min_size=1, max_size=6)
step = st.one_of(
    st.tuples(st.just("say"), st.lists(batch, min_size=1, max_size=3)),
    st.tuples(st.sampled_from(("subscribe", "cancel")), st.tuples(st.sampled_from(TICKERS), st.just([]) | batch)),
    st.tuples(st.just("beat"), st.none()),
    st.tuples(st.just("cut"), st.tuples(st.sampled_from(("last", "earlier", "garbage", "foreign", "ahead", "none")),
                                        st.lists(batch, max_size=2))),
)  # fmt: skip
end = st.sampled_from(("drain", "revoked", "expired", "shutdown"))


def differ(one: bytes, other: bytes) -> bool:
    """Whether neither can become the other by what is still to come."""
    return not one.startswith(other) and not other.startswith(one)


class PressedBus(MemoryBus):
    """A bus on which `meanwhile` is published just before a set changes: all of it is heard in one turn of the loop."""

    meanwhile: Sequence[Outgoing] = ()

    async def publish_change(self, user_id: str, ticker: str, payload: bytes) -> Publication:
        """See Bus.publish_change."""
        pressed, self.meanwhile = self.meanwhile, ()
        await self.publish(pressed, FENCE)
        return await super().publish_change(user_id, ticker, payload)


class Press:
    """Publishes; each event has a time of its own."""

    def __init__(self, gate: Served) -> None:
        self._gate = gate
        self._at_ms = START_MS

    def print(self, batch: list[tuple[str, str]]) -> list[Outgoing]:
        """These, to be published."""
        return [self._outgoing(*each) for each in batch]

    def _outgoing(self, kind: str, ticker: str) -> Outgoing:
        self._at_ms += 10
        if kind == "tick":
            return tick(ticker, self._at_ms)
        return (
            status(ticker, FeedState.LIVE, self._at_ms)
            if kind == "status"
            else gap(ticker, self._at_ms, self._at_ms + 5)
        )

    async def say(self, batches: list[list[tuple[str, str]]]) -> None:
        """Publishes these in one turn of the loop, or in as few as the bus allows."""
        for each in batches:
            self._gate.said += await self._gate.bus.publish(self.print(each), FENCE)
        await self._gate.heard()


class Pair:
    """The same reader on each way. Both come, are cut, and come back at the same moments, and are told the same."""

    def __init__(self, gate: Served, ways: tuple[Listening, Listening], query: str) -> None:
        self._gate = gate
        self._ways = ways
        self._query = query
        self._token = gate.accounts.tokens.issue("u", frozenset({Scope.PERSON}), now_s=gate.hands.wall_us / 1e6)
        self._bearer = {"Authorization": f"Bearer {self._token.access_token}"}
        self._ids: list[str] = []
        self.clients: list[WireClient] = []

    async def come(self, last_event_id: str | None = None) -> None:
        """Two streams that begin at one position."""
        headers = self._bearer | {"X-Request-ID": "0b8f4c1e-7a52-4a3f-9a53-5d8f3f6f2c11"}
        if last_event_id is not None:
            headers["Last-Event-ID"] = last_event_id
        self.clients = []
        for way in self._ways:
            way.turn_to(self._gate)
            self.clients.append(await WireClient.connected(way.port, PATH + self._query, headers))
        for client in self.clients:
            while not client.events:
                await client.more()
        await self.same()

    async def same(self) -> None:
        """Waits until all that is to be told now is written on both ways, and asserts that it is the same."""
        await turns(20)
        await eventually(lambda: all(self._is_told(seat.mailbox) for seat in self._gate.hub.seats))
        one, other = self.clients
        try:
            async with asyncio.timeout(DEADLINE_S):
                while one.body != other.body and not differ(one.body, other.body):
                    await (one if len(one.body) < len(other.body) else other).more()
        except TimeoutError:
            pass
        assert one.body.decode() == other.body.decode()
        assert one.headers == other.headers
        # Whether the connection stays is for the server alone to say, and on HTTP/2 for nobody.
        assert b"connection" not in one.headers
        self._ids += [one.last_id] if one.last_id is not None else []

    @staticmethod
    def _is_told(mailbox: object) -> bool:
        """Whether what waits is to wait: ticks, for the beat of a stream that has one."""
        assert isinstance(mailbox, LatestMailbox | LogMailbox)
        is_held = isinstance(mailbox, LatestMailbox) and not mailbox.urgent.is_set()
        return mailbox.first_waiting() is None or is_held

    async def beat(self) -> None:
        """Time passes: both streams are owed something, what has waited or a sign of life."""
        had = [len(client.body) for client in self.clients]
        self._gate.hands.forward(BEAT_S + 0.01)
        for client, length in zip(self.clients, had, strict=True):
            while len(client.body) == length:
                await client.more()
        await self.same()

    async def cut(self, returns_with: str, meanwhile: Awaitable[None]) -> None:
        """Both are gone; something is published; both come back."""
        await self.same()
        for client in self.clients:
            client.close()
        await self._gate.left_empty()
        await meanwhile
        epoch, _, seq = self._ids[-1].rpartition("-")
        await self.come(
            {
                "last": self._ids[-1],
                "earlier": self._ids[len(self._ids) // 2],
                "garbage": "what is this",
                "foreign": f"{epoch[::-1]}x-{seq}",
                "ahead": f"{epoch}-{int(seq) + 1000}",
                "none": None,
            }[returns_with]
        )

    async def end(self, how: str) -> None:
        """Both are told that it is over, and why."""
        if how == "shutdown":
            self._gate.hub.drain()
        elif how == "revoked":
            self._gate.hub.end(self._token.claims.jti)
        else:
            self._gate.hands.forward(LIMITS.lifetime_s)
        for client in self.clients:
            while not client.has_ended:
                await client.more()
        await self.same()
        assert all(client.is_whole for client in self.clients)
        assert b"event: disconnected" in self.clients[0].events[-1]


class World:
    """One loop, the gateway's own, and a server of each kind, for all examples of a property."""

    def __init__(self, run: Callable[[Coroutine[None, None, None]], None], servers: dict[str, Listening]) -> None:
        self.run = run
        self._servers = servers

    @asynccontextmanager
    async def gate(self, library: str, limits: StreamLimits, **options: Json) -> AsyncIterator[Served]:
        """Parts of this example's own, which the gateway's connections and the library's ask; left empty."""
        with tempfile.TemporaryDirectory() as folder:
            async with gate_of(Path(folder), limits, **options) as gate:
                for way in self.ways(library):
                    way.turn_to(gate)
                yield gate
                await gate.left_empty()

    def ways(self, library: str) -> tuple[Listening, Listening]:
        """Past ASGI, and through it."""
        return self._servers["gateway"], self._servers[library]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """Connections whose buffers are small, so that who does not read is soon known."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        stack = AsyncExitStack()

        async def begin() -> dict[str, Listening]:
            kinds: dict[str, str | type[asyncio.Protocol]] = {"gateway": Wire, "h11": "h11", "httptools": "httptools"}
            return {
                name: await stack.enter_async_context(listening(kind, small_listener())) for name, kind in kinds.items()
            }

        yield World(runner.run, runner.run(begin()))
        runner.run(stack.aclose())


async def play(world: World, library: str, query: str, steps: list[tuple[str, Json]], ends: str) -> None:
    """Publishes, changes the set, lets time pass, and cuts; then ends the streams."""
    bus = PressedBus(EPOCH, is_newest=lambda name, token: True, log_capacity=30)
    async with world.gate(library, LIMITS, bus=bus, ring_events=12) as gate:
        press = Press(gate)
        pair = Pair(gate, world.ways(library), query)
        if ends == "expired":
            gate.hands.forward(gate.accounts.tokens.life_s - LIMITS.lifetime_s / 2)
        await gate.live.subscriptions.subscribe("u", TICKERS[0])
        await pair.come()
        for name, value in steps:
            if name == "say":
                await press.say(value)
            elif name in {"subscribe", "cancel"}:
                bus.meanwhile = press.print(value[1])
                with suppress(NotFound):
                    await getattr(gate.live.subscriptions, name)("u", value[0])
            elif name == "beat":
                await pair.beat()
            else:
                await pair.cut(value[0], press.say(value[1]))
            await gate.heard()
            await pair.same()
        await gate.live.subscriptions.subscribe("u", TICKERS[0])
        await press.say([[("tick", TICKERS[0])]])
        await pair.beat()
        assert frame_of(gate.said[-1]).strip() in pair.clients[0].events
        await pair.end(ends)


@pytest.mark.parametrize("wish", ["", "&timer=0.05", "&mode=latest"])
@given(st.sampled_from(("h11", "httptools")), st.booleans(), st.lists(step, max_size=12), end)
@examples(12)
def test_both_ways_tell_the_same_bytes(
    world: World, wish: str, library: str, is_fixed: bool, steps: list[tuple[str, Json]], ends: str
) -> None:
    """Promise: random subscribes, cancels, publications, pauses and breaks give the same bytes on both ways: every
    event from `connected` to `disconnected`, signs of life among them, and the head before.
    """
    tickers = f"tickers={','.join(FIXED)}" if is_fixed else ""
    world.run(play(world, library, f"?{tickers}{wish}", steps, ends))


class Rover:
    """A reader on one way, who reads when he likes, and comes back with what he has whenever he was cut off."""

    def __init__(self, gate: Served, way: Listening) -> None:
        self._gate = gate
        self._way = way
        self._client: WireClient | None = None
        self._noted = 0
        self.last_id: str | None = None
        self._is_stalled = False
        self.told: list[bytes] = []
        self.reasons: list[str] = []

    async def come(self) -> None:
        """Comes, and does not wait for the answer."""
        headers = self._gate.bearer()
        if self.last_id is not None:
            headers["Last-Event-ID"] = self.last_id
        self._way.turn_to(self._gate)
        self._client = await WireClient.connected(self._way.port, f"{PATH}?tickers={','.join(FIXED)}", headers)
        self._noted = 0
        if self._is_stalled:
            self._client.stall()

    def note(self) -> None:
        """Takes down what has come."""
        assert self._client is not None
        events = self._client.events
        for told in events[self._noted :]:
            fields = dict(line.split(b": ", 1) for line in told.split(b"\n"))
            if b"event" not in fields or fields[b"event"] in {b"status", b"gap"}:
                self.told.append(told)
            elif fields[b"event"] == b"connected":
                resume = json.loads(fields[b"data"])["resume"]
                assert resume == ("fresh" if self.last_id is None else "complete")
            elif fields[b"event"] == b"disconnected":
                self.reasons.append(json.loads(fields[b"data"])["reason"])
            if b"id" in fields:
                self.last_id = fields[b"id"].decode()
        self._noted = len(events)

    def stall(self) -> None:
        """Reads nothing from now on."""
        self._is_stalled = True
        if self._client is not None:
            self._client.stall()

    def reads_on(self) -> None:
        """Reads again."""
        self._is_stalled = False
        if self._client is not None:
            self._client.reads_on()

    async def cut(self) -> None:
        """Goes in the midst of it, and comes back at once."""
        self.note()
        assert self._client is not None
        self._client.close()
        await self.come()

    def leave(self) -> None:
        """Goes for good."""
        assert self._client is not None
        self._client.close()

    async def until(self, condition: Callable[["Rover"], bool]) -> None:
        """Reads until his notes fulfil the condition, coming back as often as that takes."""
        assert self._client is not None
        self.note()
        while not condition(self):
            if self._client.has_ended:
                await self.come()
            await self._client.more()
            self.note()


async def rove(
    world: World, library: str, steps: list[tuple[str, Json]], *, farewell_s: float = 0.05
) -> list[list[str]]:
    """Publishes to one reader on each way, who read at their own paces. Returns why they were let go, as they were
    told; who does not read within `farewell_s` is told nothing.
    """
    limits = replace(QUIET, backlog_bytes=16_384, farewell_s=farewell_s)
    async with world.gate(library, limits, streams_limit=1000, ring_events=200) as gate:
        press = Press(gate)
        rovers = [Rover(gate, way) for way in world.ways(library)]
        for rover in rovers:
            await rover.come()
            await rover.until(lambda rover: rover.last_id is not None)
        for name, value in steps:
            if name == "say":
                await press.say(value)
                continue
            for rover in [rovers[which] for which in value]:
                if name == "stall":
                    rover.stall()
                elif name == "read":
                    rover.reads_on()
                else:
                    await rover.cut()
        await press.say([[("tick", FIXED[0])]])
        last = frame_of(gate.said[-1]).strip()
        for rover in rovers:
            rover.reads_on()
            await rover.until(lambda rover: rover.told[-1:] == [last])
            await rover.cut()
        told = [frame_of(publication).strip() for publication in gate.said if publication.ticker in FIXED]
        assert rovers[0].told == rovers[1].told == told
        for rover in rovers:
            rover.leave()
        return [rover.reasons for rover in rovers]


FLOOD = [[("tick", FIXED[number % 2]) for number in range(50)]] * 8
whom = st.sampled_from(((0,), (1,), (0, 1)))
pace = st.one_of(
    st.tuples(st.just("say"), st.lists(batch, min_size=1, max_size=3)),
    st.tuples(st.just("say"), st.just(FLOOD)),
    st.tuples(st.sampled_from(("stall", "read", "cut")), whom),
)


@given(st.sampled_from(("h11", "httptools")), st.lists(pace, max_size=12))
@examples(15)
def test_both_ways_tell_the_same_to_those_who_read_at_their_own_pace(
    world: World, library: str, steps: list[tuple[str, Json]]
) -> None:
    """Promise: who stalls, is let go as slow, breaks off in the midst and comes back while more is published has the
    same bytes in the end, whichever way he was written to: every event once and in order.
    """

    async def roving() -> None:
        await rove(world, library, steps)

    world.run(roving())


@pytest.mark.parametrize("library", ["h11", "httptools"])
def test_who_does_not_read_is_slow_on_both_ways(world: World, library: str) -> None:
    """Promise: a reader whose backlog is full is let go as slow, and comes back for all of it, on either way."""
    reasons: list[list[str]] = []

    async def roving() -> None:
        reasons.extend(await rove(world, library, [("stall", (0, 1)), *[("say", FLOOD)] * 3], farewell_s=10))

    world.run(roving())
    assert reasons == [["slow"], ["slow"]]


@pytest.mark.parametrize("by_line", [True, False])
async def test_who_reads_nothing_is_slow_however_few_bytes_wait(by_line: bool) -> None:
    """Promise: a reader is judged by how far the order has gone on without him, too, and told `slow` when he reads."""
    Way.by_line = by_line
    try:
        async with house(limits=replace(QUIET, keep_alive_s=0.02, lag_events=10)) as built:
            stalled = await built.opened(["btc_usd"])
            reads = await built.opened(["btc_usd"])
            for reader in (stalled, reads):
                await reader.until_named("connected")
                await turns(5)
            stalled.reading.clear()
            await built.publish(tick("btc_usd", START_MS))
            async with asyncio.timeout(10):
                while stalled.seat.reason is None:
                    # Of others; he and who reads are told the time, and that is all.
                    await built.publish(tick("eth_usd", START_MS), tick("eth_usd", START_MS + 1))
                    built.hands.forward(0.1)
                    await asyncio.sleep(0.01)  # sleep: the stream looks at its time now and then
            assert built.hub.slow_count == 1
            assert reads.seat.reason is None
            stalled.reads_on()
            await stalled.until_ended()
            assert stalled.seqs == [1]
            assert stalled.events[-1].data["reason"] == "slow"
    finally:
        Way.by_line = False
