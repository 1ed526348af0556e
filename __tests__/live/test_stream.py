"""A stream from its first event to its last."""

import asyncio
from dataclasses import replace
from itertools import pairwise

import pytest

from __tests__.live.world import (
    EPOCH,
    QUIET,
    START_MS,
    START_US,
    House,
    Json,
    Reader,
    gap,
    house,
    published,
    status,
    tick,
    turns,
)
from cryptomarket.errors import BusUnavailable
from cryptomarket.live.mailbox import Entry, LatestMailbox, LogMailbox
from cryptomarket.live.seat import Reason
from cryptomarket.live.stream import PIECE_BYTES, Mode, StreamLimits, Wish, mailbox_of, pieces
from cryptomarket.market.position import Position
from cryptomarket.market.ticks import FeedState
from cryptomarket.market.wire import Publication

pytestmark = pytest.mark.usefixtures("way")


async def live(built: House, tickers: list[str] | None, **wishes: Json) -> Reader:
    """A reader who has read the opening of his stream, and waits for what comes."""
    reader = await built.opened(tickers, **wishes)
    await reader.until_named("connected")
    await turns(5)
    return reader


BRISK = StreamLimits(keep_alive_s=0.05)
NOW_S = START_US // 1_000_000


def test_the_reader_chooses_what_happens_when_he_is_slow() -> None:
    """mode=latest and timer conflate; mode=all keeps everything within a bound."""
    wish = Wish("u", "r", "simulator", expires_s=1)
    assert isinstance(mailbox_of(wish, QUIET), LogMailbox)
    assert isinstance(mailbox_of(replace(wish, mode=Mode.LATEST), QUIET), LatestMailbox)
    assert isinstance(mailbox_of(replace(wish, timer_s=1.0), QUIET), LatestMailbox)


async def test_connected_comes_first_and_says_who_and_how() -> None:
    """`connected` with everything the contract names, and `retry:` once."""
    async with house() as built:
        reader = await built.opened(["btc_usd"])
        await reader.until_named("snapshot")
        assert reader.events[0].name == "connected"
        assert reader.events[0].data == {
            "user_id": "u", "request_id": "r", "exchange": "simulator", "tickers": ["btc_usd"], "resume": "fresh",
            "position": f"{EPOCH}-0", "server_time_us": START_US,
        }  # fmt: skip
        assert [event.retry_ms for event in reader.events] == [3000, None]
        assert len(reader.chunks) == 1


async def test_who_came_with_a_key_pair_is_told_his_token() -> None:
    """He comes back with the token, not with the pair."""
    async with house() as built:
        reader = await built.opened([], access_token="t.o.k", expires_in_s=86_400)
        await reader.until_named("connected")
        data = reader.events[0].data
        assert (data["access_token"], data["expires_in"]) == ("t.o.k", 86_400)


@pytest.mark.parametrize(("drawn", "retry_ms"), [(0.0, 1000), (0.25, 2000), (0.999, 4996)])
async def test_retry_is_drawn_between_one_and_five_seconds(drawn: float, retry_ms: int) -> None:
    """A crowd that was let go together does not come back together."""
    async with house() as built:
        reader = await built.opened([], random=lambda: drawn)
        await built.flushed(reader)
        assert reader.events[0].retry_ms == retry_ms
        assert reader.events[-1].data == {"reason": "drain", "retry_ms": retry_ms}


async def test_keep_alive_after_silence_carries_the_position_and_the_feeds() -> None:
    """Everything of this stream up to its id was written; each feed with state, age and last seq."""
    async with house(limits=BRISK) as built:
        await built.publish(tick("btc_usd"), status("btc_usd", FeedState.LIVE), tick("ada_usd"))
        reader = await live(built, ["btc_usd", "eth_usd"])
        built.hands.forward(1.0)
        await reader.until_named("keep_alive")
        [told] = reader.named("keep_alive")[:1]
        assert told.id == Position(EPOCH, 3)
        assert told.data["position"] == f"{EPOCH}-3"
        assert told.data["server_time_us"] == START_US + 1_000_000
        assert told.data["feeds"] == {
            "btc_usd": {"state": "live", "age_ms": 980, "seq": 2},
            "eth_usd": {"state": "unknown", "age_ms": None, "seq": None},
        }


async def test_what_others_hear_moves_the_id_of_a_keep_alive() -> None:
    """A quiet stream can resume from far on, although nothing of it was published."""
    async with house(limits=BRISK) as built:
        reader = await live(built, ["btc_usd"])
        await built.publish(*(tick("eth_usd", START_MS + at) for at in range(20)))
        built.hands.forward(1.0)
        await reader.until_named("keep_alive")
        again = await built.opened(["btc_usd"], reader.last_id)
        assert (reader.last_id, again.opening.until) == (Position(EPOCH, 20), 20)


async def test_a_busy_stream_needs_no_keep_alive() -> None:
    """It comes only after a silence without other events."""
    async with house(limits=replace(BRISK, keep_alive_s=10.0)) as built:
        reader = await built.opened(["btc_usd"])
        for at in range(5):
            built.hands.forward(9.0)
            [told] = await built.publish(tick("btc_usd", START_MS + at))
            await reader.until_seq(told.seq)
        assert reader.named("keep_alive") == []


async def test_a_keep_alive_promises_nothing_that_waits() -> None:
    """While a tick waits for its beat, the id stays below it; later ids go on from there."""
    async with house(limits=BRISK) as built:
        reader = await live(built, ["btc_usd"], timer_s=60.0)
        await built.publish(status("btc_usd"))
        await reader.until_seq(1)
        await built.publish(tick("eth_usd"), tick("btc_usd", START_MS + 1), tick("eth_usd"))
        built.hands.forward(1.0)
        await reader.until_named("keep_alive")
        assert reader.named("keep_alive")[0].id == Position(EPOCH, 2)
        again = await built.opened(["btc_usd"], reader.named("keep_alive")[0].id)
        await again.until_seq(3)
        assert again.seqs == [3]


async def test_all_is_every_event_in_order() -> None:
    """mode=all without timer: no conflation, however many come at once."""
    async with house() as built:
        reader = await built.opened(["btc_usd"])
        await built.publish(*(tick("btc_usd", START_MS + at) for at in range(200)))
        await reader.until_seq(200)
        assert reader.seqs == list(range(1, 201))
        assert all(after.data["prev_seq"] == before.data["seq"] for before, after in pairwise(reader.named("message")))


async def test_latest_conflates_only_while_the_reader_is_behind() -> None:
    """Who keeps up gets everything; who does not, the newest."""
    async with house() as built:
        reader = await built.opened(["btc_usd"], mode=Mode.LATEST)
        for at in range(5):
            [told] = await built.publish(tick("btc_usd", START_MS + at))
            await reader.until_seq(told.seq)
        reader.reading.clear()
        for at in range(5, 30):
            await built.publish(tick("btc_usd", START_MS + at))
        reader.reads_on()
        await reader.until_seq(30)
        assert reader.seqs[:5] == [1, 2, 3, 4, 5]
        assert len(reader.seqs) <= 7
        assert reader.seqs[-1] == 30


async def test_ticks_wait_for_the_beat() -> None:
    """timer: at most the latest event per ticker and beat, in order of position."""
    async with house() as built:
        reader = await live(built, ["btc_usd", "eth_usd"], timer_s=0.05)
        await built.publish(tick("eth_usd", START_MS + 1), tick("btc_usd"), tick("eth_usd", START_MS + 2))
        await built.publish(tick("btc_usd", START_MS + 3))
        await turns(10)
        assert reader.seqs == []
        built.hands.forward(0.05)
        await reader.until_seq(4)
        assert reader.seqs == [3, 4]
        assert len(reader.chunks) == 2


@pytest.mark.parametrize("what", ["status", "gap", "subscribed", "unsubscribed"])
async def test_what_is_no_tick_brings_the_beat_forward(what: str) -> None:
    """A status, a gap or a set change does not wait, and takes with it what waits."""
    async with house() as built:
        await built.subscribe("btc_usd")
        await built.subscribe("eth_usd")
        reader = await live(built, None, timer_s=3600.0)
        await built.publish(tick("btc_usd"))
        await built.publish(tick("btc_usd", START_MS + 1))
        await turns(10)
        assert reader.seqs == []
        if what == "status":
            await built.publish(status("eth_usd"))
        elif what == "gap":
            await built.publish(gap("eth_usd", 1, 2))
        elif what == "subscribed":
            await built.subscribe("ada_usd")
        else:
            await built.cancel("eth_usd")
        await reader.until_named(what)
        assert reader.seqs[0] == 4
        await built.publish(tick("btc_usd", START_MS + 2))
        await turns(10)
        assert 6 not in reader.seqs


async def test_a_slow_reader_is_told_and_resumes() -> None:
    """mode=all: the backlog is bounded; he comes back with his id, and nothing is missing."""
    async with house(limits=replace(QUIET, backlog_bytes=1000)) as built:
        reader = await built.opened(["btc_usd"], reading=False)
        quick = await built.opened(["btc_usd"])
        for at in range(30):
            [told] = await built.publish(tick("btc_usd", START_MS + at))
            await quick.until_seq(told.seq)
        reader.reads_on()
        await reader.until_ended()
        assert reader.events[-1].data["reason"] == "slow"
        assert built.hub.slow_count == 1
        again = await built.opened(["btc_usd"], reader.last_id)
        await again.until_seq(30)
        assert [*reader.seqs, *again.seqs] == quick.seqs == list(range(1, 31))


async def test_a_conflating_reader_is_never_too_slow() -> None:
    """One waiting tick per ticker, whatever comes."""
    async with house(limits=replace(QUIET, backlog_bytes=1000)) as built:
        reader = await built.opened(["btc_usd"], mode=Mode.LATEST, reading=False)
        await built.publish(*(tick("btc_usd", START_MS + at) for at in range(500)))
        reader.reads_on()
        await reader.until_seq(500)
        assert reader.seqs == [500]


@pytest.mark.parametrize(
    ("wishes", "life_s", "reason"),
    [
        ({"lifetime_s": 30.0}, 30.0, "drain"),
        ({}, 3240.0, "drain"),
        ({"expires_s": NOW_S + 20, "lifetime_s": 30.0}, 20.0, "expired"),
    ],
)
async def test_a_life_has_its_end(wishes: dict[str, Json], life_s: float, reason: str) -> None:
    """The asked lifetime, or one drawn below the limit, or the token's: whichever is first; told on time."""
    async with house(limits=StreamLimits(keep_alive_s=0.05, lifetime_s=3600.0)) as built:
        reader = await live(built, ["btc_usd"], random=lambda: 0.5, **wishes)
        built.hands.forward(life_s - 1)
        await reader.until_named("keep_alive")
        assert not reader.ended
        await built.publish(tick("btc_usd"))
        built.hands.forward(1.0)
        await reader.until_ended()
        assert reader.events[-1].data["reason"] == reason
        assert reader.events[-1].id is None
        assert reader.seqs == [1]


async def test_what_waits_is_written_before_the_end() -> None:
    """A stream that ends politely leaves nothing behind that its reader could have had."""
    async with house() as built:
        reader = await live(built, ["btc_usd"], timer_s=3600.0)
        await built.publish(tick("btc_usd"))
        built.hub.drain()
        await reader.until_ended()
        assert reader.seqs == [1]
        assert reader.events[-1].data["reason"] == "shutdown"


@pytest.mark.parametrize("wishes", [{}, {"timer_s": 60.0}, {"mode": Mode.LATEST}])
async def test_a_revoked_token_ends_its_streams_at_once(wishes: dict[str, Json]) -> None:
    """Within the second, not with the next keep-alive, also when nothing is published."""
    async with house() as built:
        reader = await live(built, ["btc_usd"], dies_with=lambda subject: subject == "token", **wishes)
        built.hub.end("token")
        await reader.until_ended()
        assert reader.events[-1].data["reason"] == "revoked"


async def test_a_revocation_is_not_drowned_by_what_comes_after_it() -> None:
    """A set change that empties the mailbox must not silence the bell that asks to leave."""
    async with house() as built:
        await built.subscribe("btc_usd")
        reader = await built.opened(mode=Mode.LATEST, reading=False)
        reader.seat.leave(Reason.REVOKED)
        await built.subscribe("eth_usd")
        await built.cancel("eth_usd")
        reader.reads_on()
        await reader.until_ended()
        assert reader.events[-1].data["reason"] == "revoked"


async def test_two_readers_do_not_wait_for_each_other() -> None:
    """One who reads nothing delays nobody."""
    async with house() as built:
        await built.opened(["btc_usd"], reading=False)
        quick = await built.opened(["btc_usd"])
        await built.publish(*(tick("btc_usd", START_MS + at) for at in range(100)))
        await quick.until_seq(100)
        assert quick.seqs == list(range(1, 101))


async def test_a_reader_who_has_gone_leaves_nothing_behind() -> None:
    """No seat, no ticker, no task."""
    async with house() as built:
        await built.subscribe("btc_usd")
        before = asyncio.all_tasks()
        for wishes in ({}, {"timer_s": 1.0}, {"mode": Mode.LATEST}):
            reader = await built.opened(**wishes)
            await reader.until_named("snapshot")
            await reader.goes()
        await turns(1)
        assert asyncio.all_tasks() == before
        assert not built.hub.seats
        assert not built.hub.tickers


async def test_a_bus_that_goes_away_during_a_replay_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    """Told as `problem`, without an id; the stream ends, and resumes exactly where it was."""
    async with house(ring_events=1) as built:
        await built.publish(*(tick("btc_usd", START_MS + at) for at in range(6)))
        reader = await built.opened(["btc_usd"], Position(EPOCH, 0), reading=False)

        async def away(after: Position, until: int, limit: int) -> list[Publication]:
            if after.seq >= 4:
                raise BusUnavailable("The bus is away.")
            return await type(built.bus).since(built.bus, after, until, limit)

        monkeypatch.setattr(built.bus, "since", away)
        await built.publish(tick("btc_usd", START_MS + 6))
        reader.reads_on()
        await reader.until_ended()
        assert reader.seqs == [1, 2, 3, 4]
        assert [event.name for event in reader.events[-2:]] == ["problem", "disconnected"]
        problem = reader.events[-2]
        assert problem.id is None
        assert (problem.data["status"], problem.data["request_id"]) == (503, "r")


async def test_what_a_reader_is_owed_comes_in_pieces() -> None:
    """Promise: however much he has missed, he is given little more at once than a transport takes."""
    told = [published(tick("btc_usd", START_MS + at), at) for at in range(1, 1001)]
    frames = [Entry(publication).frame for publication in told]
    found = list(pieces([Entry(publication) for publication in told]))
    assert b"".join(found) == b"".join(frames)
    assert len(found) > 2
    assert max(map(len, found)) < PIECE_BYTES + len(frames[-1])
    assert list(pieces([])) == []
