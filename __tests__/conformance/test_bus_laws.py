"""The laws of the bus under any order of what is done to it."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from __tests__.conformance.form import FORMS, LOG_CAPACITY, LOG_HARD_CAPACITY, Backplane
from __tests__.conformance.hearing import heard, seqs
from __tests__.examples import examples
from cryptomarket.backplane.bus import Outgoing, Picture
from cryptomarket.errors import Fenced
from cryptomarket.market.position import Position
from cryptomarket.market.wire import Publication, PublicationKind

STORE = "store"

outgoing = st.builds(
    Outgoing,
    st.sampled_from([PublicationKind.TICK, PublicationKind.STATUS, PublicationKind.GAP]),
    st.sampled_from(["btc_usd", "eth_usd", "BTC-PERPETUAL"]),
    st.sampled_from([b'{"a":1}', b'{"a":2}']),
)
steps = st.lists(
    st.one_of(
        st.lists(outgoing, max_size=4),
        st.sampled_from(["change", "takeover", "stale"]),
    ),
    max_size=LOG_CAPACITY // 4,
)


async def _told(form: Backplane, script: list[list[Outgoing] | str]) -> tuple[list[Publication], list[Outgoing]]:
    """What was published, and what was handed in and not refused."""
    stale = fence = await form.fence()
    told: list[Publication] = []
    said: list[Outgoing] = []
    for step in script:
        match step:
            case "change":
                told.append(await form.bus.publish_change("user-1", "btc_usd", b"{}"))
            case "takeover":
                stale, fence = fence, await form.fence()
            case "stale":
                if stale != fence:
                    try:
                        told += await form.bus.publish([Outgoing(PublicationKind.TICK, "eth_usd", b"{}")], stale)
                    except Fenced:
                        continue
            case list():
                told += await form.bus.publish(step, fence)
                said += step
    return told, said


@pytest.mark.parametrize("form_name", sorted(FORMS))
@given(script=steps)
@examples(60)
async def test_one_order_one_chain_per_ticker_and_one_story(form_name: str, script: list[list[Outgoing] | str]) -> None:
    """Promise: numbers have no holes, `prev_seq` names the ticker's previous one, and log, follower, writer and picture
    tell the same.
    """
    async with FORMS[form_name]() as form:
        start = await form.bus.head()
        told, said = await _told(form, script)
        assert seqs(told) == list(range(1, len(told) + 1))
        chained = [each for each in told if each.kind is not PublicationKind.SET_CHANGE]
        assert [Outgoing(each.kind, each.ticker, each.payload) for each in chained] == said
        last: dict[str, int] = {}
        for each in chained:
            assert each.prev_seq == last.get(each.ticker)
            last[each.ticker] = each.seq
        position, pictures = await form.bus.pictures()
        assert position == await form.bus.head() == Position(start.epoch, len(told))
        assert {ticker: picture.last_seq for ticker, picture in pictures.items()} == last
        assert await form.bus.since(start, len(told), 10**6) == told
        assert await heard(form.bus.follow(start), len(told)) == told
        assert await form.bus.consume(STORE, "one", limit=10**6, wait_s=0) == told


consuming = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.integers(1, 40)),
        st.tuples(st.just("consume"), st.integers(1, 30)),
        st.tuples(st.just("acknowledge"), st.integers(0, 10**6)),
        st.tuples(st.just("bury"), st.just(0)),
    ),
    max_size=40,
)


@pytest.mark.parametrize("form_name", sorted(FORMS))
@given(script=consuming)
@examples(60)
async def test_every_publication_is_kept_or_counted(form_name: str, script: list[tuple[str, int]]) -> None:
    """Promise: whoever dies whenever, and however far the writers fall behind: what a group did not acknowledge in the
    end is exactly what it is told it lost, and `acknowledged` never covered what it still could get.
    """
    async with FORMS[form_name]() as form:
        fence = await form.fence()
        published = 0
        held: dict[int, Publication] = {}
        kept: set[int] = set()
        assert await form.bus.consume(STORE, "one", limit=1, wait_s=0) == []
        for what, number in script:
            match what:
                case "publish":
                    batch = [Outgoing(PublicationKind.TICK, "btc_usd", b"{}")] * number
                    published = (await form.bus.publish(batch, fence))[-1].seq
                case "consume":
                    taken = await form.bus.consume(STORE, "one", limit=number, wait_s=0)
                    assert len(taken) <= number
                    assert not (held.keys() | kept) & set(seqs(taken))
                    held.update((each.seq, each) for each in taken)
                case "acknowledge" if held:
                    chosen = sorted(held)[number % len(held) :]
                    await form.bus.acknowledge(STORE, [held.pop(seq) for seq in chosen])
                    kept.update(chosen)
                case "bury":
                    held.clear()
                    await form.leave(STORE)
            acknowledged = await form.bus.acknowledged(STORE)
            assert all(seq > acknowledged for seq in held)
        await form.leave(STORE)
        while rest := await form.bus.consume(STORE, "two", limit=LOG_HARD_CAPACITY, wait_s=0):
            await form.bus.acknowledge(STORE, rest)
            kept.update(seqs(rest))
        assert await form.bus.acknowledged(STORE) == published
        assert await form.bus.given_up(STORE) == published - len(kept)


async def test_a_batch_stays_together(backplane: Backplane) -> None:
    """Promise: a batch takes its places in one step, so nothing comes between its parts."""
    fence = await backplane.fence()
    batches = await asyncio.gather(*(backplane.say(fence, "btc_usd", "eth_usd", "btc_usd") for _ in range(5)))
    assert all(seqs(batch) == list(range(batch[0].seq, batch[0].seq + 3)) for batch in batches)


async def test_pictures_show_one_position_while_others_publish(backplane: Backplane) -> None:
    """Promise: snapshot then live has no crack: a picture is what the log says up to the position told with it."""
    fence = await backplane.fence()
    start = await backplane.bus.head()

    async def look() -> tuple[Position, dict[str, Picture]]:
        return await backplane.bus.pictures()

    rounds = [backplane.say(fence, "btc_usd", "eth_usd") if number % 2 else look() for number in range(30)]
    looks = [found for found in await asyncio.gather(*rounds) if isinstance(found, tuple)]
    log = await backplane.bus.since(start, 30, 100)
    assert len(looks) == 15
    for position, pictures in looks:
        newest = {each.ticker: each for each in log if each.seq <= position.seq}
        assert {ticker: picture.tick for ticker, picture in pictures.items()} == newest
