"""What a reader may ask of his stream: a beat, the newest only, a life span; and what keeps a quiet stream alive."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from httpx_sse import ServerSentEvent

from __tests__.journeys.gateway import Gateway, Json, Reader, exact, gateway, reading
from __tests__.journeys.light import LightReader, lightly_reading
from __tests__.journeys.witness import scene

pytestmark = pytest.mark.asyncio(loop_scope="module")

TICKERS = "btc_usd,eth_usd,BTC-PERPETUAL,ETH-PERPETUAL"
KEEP_ALIVE_S = 0.3
BEAT_S = 1


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Gateway, str]]:
    """One gateway for all wishes, and a token of somebody without subscriptions."""
    settings = {"keep_alive_s": str(KEEP_ALIVE_S), "stream_lifetime_s": "60"}
    async with gateway(tmp_path_factory.mktemp("wishes"), **settings) as gate:
        token, _ = await gate.login(5)
        # Once the exchange has spoken of each, nothing but ticks is to be expected.
        async with reading(gate, token, tickers=TICKERS) as reader:
            await reader.until(
                lambda reader: {tick["ticker"] for tick in reader.named("message")} >= set(TICKERS.split(","))
            )
        yield gate, token


def position(event: ServerSentEvent) -> tuple[str, int]:
    """Epoch and number of an id."""
    epoch, _, seq = event.id.rpartition("-")
    return epoch, int(seq)


def check_ids(reader: Reader) -> None:
    """Asserts that ids never decrease, and that each publication carries its own, which is above all before it."""
    ids = [position(event) for event in reader.events if event.id]
    assert ids == sorted(ids)
    assert len({epoch for epoch, _ in ids}) == 1
    last = ("", 0)
    for event in reader.events:
        if event.event in {"message", "status", "gap"}:
            assert position(event)[1] == exact(event.data)["seq"] > last[1]
        last = position(event) if event.id else last


def beats(reader: LightReader) -> list[list[Json]]:
    """The ticks, beat by beat: a beat has each ticker once, and comes a good while after the one before it."""
    told: list[list[Json]] = []
    last_us = 0
    for block in reader.named("message"):
        tick = block.data
        apart = block.came_us - last_us > BEAT_S * 1e6 / 3
        if not told or apart or any(earlier["ticker"] == tick["ticker"] for earlier in told[-1]):
            told.append([])
        told[-1].append(tick)
        last_us = block.came_us
    return told


async def test_at_most_one_tick_per_ticker_and_beat(tmp_path: Path) -> None:
    """Promise: with `timer`, each beat has the newest tick of a ticker at most, in order of position, the rest is not
    told; the beat is one for the whole stream.
    """
    async with scene(tmp_path) as running:
        token, _ = await running.gate.login()
        async with (
            reading(running.gate, token, tickers=TICKERS) as everything,
            lightly_reading(running.gate, token, tickers=TICKERS, timer=str(BEAT_S)) as timed,
        ):
            await timed.until_told("message", 4 * len(TICKERS.split(",")))
            last = timed.named("message")[-1].data
            await everything.until(lambda reader: any(tick["seq"] >= last["seq"] for tick in reader.named("message")))
    seqs = [tick["seq"] for beat in beats(timed) for tick in beat]
    assert seqs == sorted(set(seqs))
    assert timed.named("snapshot")
    moments_us = [beat[-1]["published_us"] for beat in beats(timed)]
    assert moments_us[3] - moments_us[0] > 2_500_000, "four beats are three seconds apart, less the age of the first"
    told = {tick["seq"]: tick for tick in everything.named("message")}
    first = everything.named("message")[0]["seq"]
    for beat in beats(timed):
        for tick in beat:
            assert tick["seq"] < first or tick == told[tick["seq"]], "what is told is what was published"
            newer = [
                seq
                for seq, other in told.items()
                if tick["seq"] < seq <= beat[-1]["seq"] and other["ticker"] == tick["ticker"]
            ]
            assert not newer, "of what waited, the newest left"
    assert len(timed.named("message")) < len(everything.named("message"))


MEETING_US = 500_000


async def test_the_newest_only_for_who_is_behind(stage: tuple[Gateway, str]) -> None:
    """Promise: `mode=latest` leaves nothing out for a reader who keeps up."""
    gate, token = stage
    async with (
        reading(gate, token, tickers=TICKERS, mode="latest") as latest,
        reading(gate, token, tickers=TICKERS, mode="all") as everything,
    ):
        await latest.until(lambda reader: len(reader.named("message")) > 15)
        last = latest.named("message")[-1]["seq"]
        await everything.until(lambda reader: any(tick["seq"] >= last for tick in reader.named("message")))
    check_ids(latest)
    first = max(reader.named("message")[0]["seq"] for reader in (latest, everything))
    ours = [tick for tick in latest.named("message") if first <= tick["seq"] <= last]
    every = [tick for tick in everything.named("message") if first <= tick["seq"] <= last]
    assert [tick for tick in every if tick in ours] == ours
    # On a machine that is busy elsewhere, two of one ticker may have met before either could leave.
    for left_out in (tick for tick in every if tick not in ours):
        newer = next(tick for tick in ours if tick["ticker"] == left_out["ticker"] and tick["seq"] > left_out["seq"])
        assert newer["published_us"] - left_out["published_us"] < MEETING_US
    assert len(ours) > len(every) / 2


async def test_a_quiet_stream_is_kept_alive(stage: tuple[Gateway, str]) -> None:
    """Promise: without other events, a `keep_alive` comes in time, with the position up to which nothing is missing;
    coming back with it is `complete`.
    """
    gate, token = stage
    async with reading(gate, token) as reader:
        began_s = time.monotonic()
        await reader.until(lambda reader: len(reader.named("keep_alive")) >= 4)
        assert 3 * KEEP_ALIVE_S < time.monotonic() - began_s < 4 * KEEP_ALIVE_S + 2
        assert {event.event for event in reader.events} == {"connected", "keep_alive"}
        for event in reader.events:
            assert event.id == exact(event.data)["position"]
        assert reader.named("keep_alive")[0]["feeds"] == {}
        positions = [position(event)[1] for event in reader.events]
        assert positions[-1] > positions[0], "others' ticks were published, and none of them is ours"
    check_ids(reader)
    async with reading(gate, token, headers={"Last-Event-ID": reader.last_id}) as back:
        assert back.named("connected")[0]["resume"] == "complete"


async def test_keep_alive_tells_how_the_feeds_are(stage: tuple[Gateway, str]) -> None:
    """Promise: `keep_alive` has state, age and last seq of each ticker of the stream."""
    gate, token = stage
    async with reading(gate, token, tickers="btc_usd") as reader:
        await reader.until(lambda reader: reader.named("message"))
        feeds = (await reader.next("keep_alive"))["feeds"]
        last = reader.named("message")[-1]
    assert feeds.keys() == {"btc_usd"}
    assert feeds["btc_usd"]["state"] == "live"
    assert feeds["btc_usd"]["seq"] >= last["seq"] - 1
    assert 0 <= feeds["btc_usd"]["age_ms"] < 3000


async def test_a_life_span_ends_with_drain(stage: tuple[Gateway, str]) -> None:
    """Promise: the stream ends by itself after `lifetime`, in order, and says when to come back; it is complete."""
    gate, token = stage
    began_s = time.monotonic()
    async with reading(gate, token, tickers=TICKERS, lifetime=1) as reader:
        await reader.until(lambda reader: reader.named("disconnected"), within_s=5)
        lived_s = time.monotonic() - began_s
        await reader.until(lambda reader: reader.ended, within_s=2)
    assert 1 <= lived_s < 2.5
    [told] = reader.named("disconnected")
    assert told["reason"] == "drain"
    assert 1000 <= told["retry_ms"] <= 5000
    assert [event.retry for event in reader.events if event.retry is not None] == [told["retry_ms"]]
    assert reader.events[0].retry == told["retry_ms"]
    assert reader.events[-1].id in {"", reader.last_id}
    check_ids(reader)
    async with reading(gate, token, headers={"Last-Event-ID": reader.last_id}, tickers=TICKERS) as back:
        await back.until(lambda reader: reader.named("message"))
        assert back.named("connected")[0]["resume"] == "complete"
        assert back.named("snapshot") == []


async def test_a_followed_set_changes_on_every_stream_at_once(stage: tuple[Gateway, str]) -> None:
    """Promise: each stream of the user is told of a change, with the set, a snapshot and its position; one of fixed
    tickers is not; and whoever comes back from before hears of it, too.
    """
    gate, token = stage
    async with (
        gate.client(token) as client,
        reading(gate, token) as one,
        reading(gate, token) as other,
        reading(gate, token, tickers="eth_usd") as fixed,
    ):
        before = one.last_id
        await client.put("/api/v2/subscriptions/BTC-PERPETUAL")
        for reader in (one, other):
            await reader.until(lambda reader: reader.named("message"))
            names = [event.event for event in reader.events if event.event not in {"keep_alive", "connected"}]
            assert names[:2] == ["subscribed", "snapshot"]
            [subscribed], [snapshot] = reader.named("subscribed"), reader.named("snapshot")
            assert (subscribed["ticker"], subscribed["tickers"]) == ("BTC-PERPETUAL", ["BTC-PERPETUAL"])
            chain = [told for told in reader.named("message", "status", "gap") if told["ticker"] == "BTC-PERPETUAL"]
            assert chain[0]["prev_seq"] == snapshot["last_seq"]
            check_ids(reader)
        async with reading(gate, token, headers={"Last-Event-ID": before}) as back:
            await back.until(lambda reader: reader.named("message"))
            assert back.named("connected")[0]["resume"] == "complete"
            assert [told["ticker"] for told in back.named("subscribed")] == ["BTC-PERPETUAL"]
            check_ids(back)
        assert (await client.delete("/api/v2/subscriptions")).json() == {"cancelled": ["BTC-PERPETUAL"]}
        for reader in (one, other):
            await reader.until(lambda reader: reader.named("unsubscribed"))
        await fixed.next("message")
    assert fixed.named("subscribed", "unsubscribed") == []
    check_ids(fixed)
