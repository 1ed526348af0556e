"""A stream keeps its place through whatever ends its connections, and waits as it is told to."""

from contextlib import aclosing
from itertools import islice

import httpx2
import pytest

from __tests__.client.gateways import Scripted, breaks, header, says, streams
from cryptomarket.client import EVERYTHING
from cryptomarket.client.events import Connected, Disconnected, IndexTick, Interrupted, Reset, Tick
from cryptomarket.client.refusals import GatewayFailed
from cryptomarket.client.stream import Stream
from cryptomarket.errors import NotFound, Unauthenticated, Unavailable

CONNECTED = (
    "retry: 2000\nevent: connected\n"
    'data: {"user_id":"u","request_id":"r","exchange":"simulator","tickers":["btc_usd"],"resume":"%s",'
    '"position":"e-1","server_time_us":5}'
)
DISCONNECTED = 'event: disconnected\ndata: {"reason":"drain","retry_ms":1500}'


def tick(seq: int) -> str:
    """A tick as it is sent."""
    return (
        f'id: e-{seq}\ndata: {{"seq":{seq},"prev_seq":{seq - 1},"ticker":"btc_usd","instrument_name":"btc_usd",'
        f'"kind":"index","price":1.50,"timestamp":1,"received_us":2,"published_us":3}}'
    )


async def first(stream: Stream, count: int) -> list[object]:
    """So many events of a stream."""
    told: list[object] = []
    async with stream:
        async for event in stream:
            told.append(event)
            if len(told) == count:
                break
    return told


async def test_it_comes_back_with_the_last_id_it_got() -> None:
    """Promise: after an end, a break and a refusal the next connection presents the last id, and ticks go on."""
    gateway = Scripted(
        [
            streams(CONNECTED % "fresh", tick(1), tick(2), DISCONNECTED),
            streams(CONNECTED % "complete", tick(3), then=httpx2.ReadError),
            says(503, retry_after="9"),
            streams(CONNECTED % "complete", tick(4)),
        ]
    )
    stream = gateway.client().stream("btc_usd", tells={Tick})
    assert [event.seq for event in await first(stream, 4) if isinstance(event, IndexTick)] == [1, 2, 3, 4]
    assert header(gateway.asked, "last-event-id") == [None, "e-2", "e-3", "e-3"]
    assert gateway.asked[0].url.params["tickers"] == "btc_usd"
    assert gateway.waited_s == [1.5, 2.0, 9.0]
    assert stream.position == "e-4"


async def test_what_is_not_a_tick_is_told_by_wish() -> None:
    """Promise: a reset is told unless it is declined; connections, their ends and the waits only to whoever asks."""
    script = [streams(CONNECTED % "fresh", tick(1), DISCONNECTED), streams(CONNECTED % "reset", tick(9))]
    plain = await first(Scripted(script).client().stream("btc_usd"), 3)
    assert [type(event) for event in plain] == [IndexTick, Reset, IndexTick]
    everything = await first(Scripted(script).client().stream("btc_usd", tells=EVERYTHING), 6)
    assert [type(event) for event in everything] == [
        Connected, IndexTick, Disconnected, Interrupted, Reset, IndexTick
    ]  # fmt: skip
    assert everything[3] == Interrupted(reason="drain", returns_in_s=1.5)
    ticks = Scripted(script).client().stream("btc_usd").ticks()
    async with aclosing(ticks):
        assert [(await anext(ticks)).seq, (await anext(ticks)).seq] == [1, 9]


async def test_who_fails_again_waits_longer() -> None:
    """Promise: the first return is when the gateway said; then a jittered backoff doubles, up to half a minute."""
    gateway = Scripted([streams(CONNECTED % "fresh", tick(1)), *[breaks()] * 7, streams(tick(2))])
    await first(gateway.client().stream("btc_usd", tells={Tick}), 2)
    assert gateway.waited_s == [2.0, *islice((1.5 * 2**n for n in range(9)), 3), 12.0, 15.0, 15.0, 15.0]


async def test_it_gives_up_when_it_was_told_to() -> None:
    """Promise: with `patience_s` a gateway that stays away ends the stream with Unavailable."""
    gateway = Scripted([breaks()])
    with pytest.raises(Unavailable, match="is away"):
        await first(gateway.client().stream("btc_usd", patience_s=0), 1)
    assert gateway.waited_s == []
    with pytest.raises(Unavailable):
        await first(gateway.client().stream("btc_usd", patience_s=5), 1)
    assert 5 <= sum(gateway.waited_s) < 20


@pytest.mark.parametrize(("status", "kind"), [(404, NotFound), (401, Unauthenticated), (500, GatewayFailed)])
async def test_a_refusal_ends_it(status: int, kind: type[Exception]) -> None:
    """Promise: what will be refused again is not asked again."""
    gateway = Scripted([says(status)])
    with pytest.raises(kind):
        await first(gateway.client().stream("btc_usdd"), 1)
    assert len(gateway.asked) == 1


async def test_what_is_no_stream_is_told() -> None:
    """Promise: a page instead of a stream, and data that can't be read, are errors and not silence."""
    page = says(200, "<html>", content_type="text/html")
    with pytest.raises(GatewayFailed, match="text/event-stream"):
        await first(Scripted([page]).client().stream("btc_usd"), 1)
    with pytest.raises(GatewayFailed, match="'message' can't be read"):
        await first(Scripted([streams('id: e-1\ndata: {"kind":"index"}')]).client().stream("btc_usd"), 1)


async def test_it_goes_on_where_another_one_ended() -> None:
    """Promise: a position that was kept is presented at the first connection; wishes are in the query."""
    gateway = Scripted([streams(tick(8))])
    stream = gateway.client().stream(after="e-7", timer_s=0.5, mode="latest", lifetime_s=60)
    await first(stream, 1)
    assert header(gateway.asked, "last-event-id") == ["e-7"]
    assert dict(gateway.asked[0].url.params) == {"timer": "0.5", "mode": "latest", "lifetime": "60"}
    heard = stream.heard()
    async with aclosing(heard):
        again = await anext(heard)
    assert (again.name, again.position) == ("message", "e-8")
    assert '"price":1.50' in again.data
    assert header(gateway.asked, "last-event-id")[1] == "e-8"


@pytest.mark.parametrize("after", ["x\ny", "e-1\r", "é-1", ""])
def test_an_id_that_can_be_none_is_told_at_once(after: str) -> None:
    """Promise: what no header can carry is wrong use, not a gateway that is away, and is not repeated."""
    with pytest.raises(ValueError, match="The id to go on after") as refused:
        Scripted([streams(tick(1))]).client().stream("btc_usd", after=after)
    assert repr(after) not in f" {refused.value} "
