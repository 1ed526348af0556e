"""How a stream opens: fresh, complete, or reset, and what it is owed first."""

import asyncio
from typing import cast

import msgspec
import pytest

from __tests__.live.world import (
    EPOCH,
    FENCE,
    START_MS,
    House,
    Reader,
    events_of,
    house,
    published,
    status,
    tick,
    turns,
)
from cryptomarket.backplane.memory import MemoryBus
from cryptomarket.errors import LogTooShort
from cryptomarket.live.follow import Resume
from cryptomarket.live.seat import Reason
from cryptomarket.market.position import Position
from cryptomarket.market.wire import Change, Publication, SetChange, encode

pytestmark = pytest.mark.usefixtures("way")


def names(reader: Reader) -> list[tuple[str, str | None]]:
    """(event, ticker) of all that came."""
    return [(event.name, event.data.get("ticker")) for event in reader.events]


async def some_ticks(built: House, count: int, ticker: str = "btc_usd") -> None:
    for at in range(count):
        await built.publish(tick(ticker, START_MS + at))


async def test_fresh_is_one_snapshot_for_each_ticker_and_the_id_on_the_last() -> None:
    """`connected` names the tickers in order; the group's only id is its position."""
    async with house() as built:
        await some_ticks(built, 3)
        reader = await built.opened(["eth_usd", "btc_usd"])
        await reader.until_named("snapshot", 2)
        connected, btc, eth = reader.events
        assert (connected.data["resume"], connected.data["position"]) == ("fresh", f"{EPOCH}-3")
        assert connected.data["tickers"] == ["btc_usd", "eth_usd"]
        assert (connected.id, btc.id, eth.id) == (None, None, Position(EPOCH, 3))
        assert (btc.data["seq"], btc.data["last_seq"], btc.data["state"]) == (3, 3, "unknown")
        assert (eth.data["ticker"], eth.data["price"], eth.data["last_seq"]) == ("eth_usd", None, None)


async def test_no_event_of_a_former_order_is_told_in_the_next() -> None:
    """Promise: a process that has just begun anew, and published nothing yet, tells nothing of what it knew before,
    whatever id of the new order another process has handed out.
    """
    async with house() as built:
        await some_ticks(built, 40)
        built.hub.begin(Position("another", 20), {})
        reader = await built.opened(["btc_usd"], Position("another", 10), reading=False)
        assert reader.opening.resume is Resume.RESET


async def test_an_order_that_begins_while_a_stream_opens_is_a_reset(monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: what `connected` says is true in the moment in which it is said."""
    async with house() as built:
        await some_ticks(built, 40)

        async def recall(_of: object) -> None:
            built.hub.begin(Position("another", 60), {})

        monkeypatch.setattr(built.openers[0], "_recall", recall)
        reader = await built.opened(["btc_usd"], Position(EPOCH, 30), reading=False)
        assert (reader.opening.resume, reader.opening.position.epoch) == (Resume.RESET, "another")


async def test_a_stream_of_an_empty_set_has_its_id_in_connected() -> None:
    """A group's last event carries its position, also when there is no other."""
    async with house() as built:
        await some_ticks(built, 2)
        reader = await built.opened()
        await reader.until_named("connected")
        assert reader.events[0].data["tickers"] == []
        assert reader.events[0].id == Position(EPOCH, 2)


async def test_complete_is_every_later_event_once_without_snapshots() -> None:
    """`connected` carries the presented id and repeats it in `position`; then the replay, then live."""
    async with house() as built:
        await some_ticks(built, 6)
        reader = await built.opened(["btc_usd"], Position(EPOCH, 2))
        await some_ticks(built, 2)
        await reader.until_seq(8)
        connected = reader.events[0]
        assert (connected.data["resume"], connected.data["position"]) == ("complete", f"{EPOCH}-2")
        assert connected.id == Position(EPOCH, 2)
        assert reader.named("snapshot") == []
        assert reader.seqs == [3, 4, 5, 6, 7, 8]


async def test_who_has_everything_gets_nothing_twice() -> None:
    """An id at the head is complete with an empty replay."""
    async with house() as built:
        await some_ticks(built, 3)
        reader = await built.opened(["btc_usd"], Position(EPOCH, 3))
        await some_ticks(built, 1)
        await reader.until_seq(4)
        assert [event.name for event in reader.events] == ["connected", "message"]


async def test_a_resume_goes_to_another_process() -> None:
    """One number resumes on any process: they all hear one order."""
    async with house(processes=2) as built:
        first = await built.opened(["btc_usd"])
        await some_ticks(built, 3)
        await first.until_seq(3)
        await first.goes()
        await some_ticks(built, 3)
        second = await built.opened(["btc_usd"], first.last_id, process=1)
        await second.until_seq(6)
        assert second.seqs == [4, 5, 6]


@pytest.mark.parametrize(
    "strange",
    [
        "garbage", "", "-1", f"{EPOCH}-", f"{EPOCH}--1", f"{EPOCH}-1.5", "0123456789abcdef-2", f"{EPOCH}-99", "\x00",
        f"{EPOCH}-9223372036854775808", f"{EPOCH.upper()}-2", f" {EPOCH}-2",
    ],
)  # fmt: skip
async def test_an_id_that_is_not_ours_is_a_reset(strange: str) -> None:
    """Foreign, from the future or garbage: snapshots, and never an error."""
    async with house() as built:
        await some_ticks(built, 3)
        reader = await built.opened(["btc_usd"], strange)
        await reader.until_named("snapshot")
        assert reader.opening.resume is Resume.RESET
        assert reader.events[0].data["position"] == f"{EPOCH}-3"
        assert reader.events[-1].id == Position(EPOCH, 3)


async def test_an_id_that_this_process_has_not_reached_is_waited_for() -> None:
    """Ahead of this process but not of the bus: complete, once this process has heard it."""
    async with house(processes=2) as built:
        behind = built.running[1]
        behind.cancel()
        await asyncio.wait([behind])
        await built.bus.publish([tick("btc_usd", START_MS + at) for at in range(4)], FENCE)
        opening = asyncio.create_task(built.opened(["btc_usd"], Position(EPOCH, 3), process=1))
        await turns(5)
        assert not opening.done()
        built.running.append(built.start(built.relays[1].run()))
        reader = await opening
        await reader.until_seq(4)
        assert reader.opening.resume is Resume.COMPLETE
        assert reader.seqs == [4]


async def test_an_id_that_is_never_reached_is_a_reset() -> None:
    """The wait for it has an end."""
    async with house(processes=2) as built:
        built.running[1].cancel()
        await asyncio.wait([built.running[1]])
        await built.bus.publish([tick("btc_usd")], FENCE)
        reader = await built.opened(["btc_usd"], Position(EPOCH, 1), process=1)
        assert reader.opening.resume is Resume.RESET


async def test_a_log_that_no_longer_reaches_back_is_a_reset() -> None:
    """Never a silent hole."""
    async with house(log_capacity=5) as built:
        await some_ticks(built, 10)
        assert (await built.opened(["btc_usd"], Position(EPOCH, 4))).opening.resume is Resume.RESET
        reader = await built.opened(["btc_usd"], Position(EPOCH, 5))
        await reader.until_seq(10)
        assert reader.opening.resume is Resume.COMPLETE
        assert reader.seqs == [6, 7, 8, 9, 10]


async def test_fixed_tickers_neither_read_nor_follow_the_saved_set() -> None:
    """`tickers=` is exactly these, for the stream's whole life."""
    async with house() as built:
        await built.subscribe("eth_usd")
        reader = await built.opened(["btc_usd"])
        await built.cancel("eth_usd")
        await built.subscribe("btc_usd")
        await built.publish(tick("eth_usd"), tick("btc_usd"))
        await reader.until_seq(5)
        assert names(reader) == [("connected", None), ("snapshot", "btc_usd"), ("message", "btc_usd")]


async def test_a_ticker_of_the_set_at_the_id_gets_every_event_after_it() -> None:
    """Subscribed since before the id: no snapshot, nothing left out."""
    async with house() as built:
        await built.subscribe("btc_usd")
        await some_ticks(built, 4)
        reader = await built.opened(None, Position(EPOCH, 2))
        await reader.until_seq(5)
        assert reader.events[0].data["tickers"] == ["btc_usd"]
        assert reader.seqs == [3, 4, 5]
        assert reader.named("snapshot") == []


async def test_a_ticker_subscribed_since_the_id_comes_with_its_snapshot() -> None:
    """`subscribed`, snapshot, then events: at the replay's end, and nothing of it at or below that."""
    async with house() as built:
        await built.subscribe("btc_usd")  # 1
        await some_ticks(built, 2)
        await built.subscribe("eth_usd")  # 4
        await some_ticks(built, 1, "eth_usd")
        await some_ticks(built, 1)
        reader = await built.opened(None, Position(EPOCH, 2))
        await built.publish(tick("eth_usd", START_MS + 9))
        await reader.until_seq(7)
        assert names(reader) == [
            ("connected", None), ("message", "btc_usd"), ("message", "btc_usd"), ("subscribed", "eth_usd"),
            ("snapshot", "eth_usd"), ("message", "eth_usd"),
        ]  # fmt: skip
        assert [event.id.seq if event.id else None for event in reader.events] == [2, 3, 6, None, 6, 7]
        subscribed, snapshot, message = reader.events[3:]
        assert subscribed.data == {"ticker": "eth_usd", "tickers": ["btc_usd", "eth_usd"], "seq": 4}
        assert snapshot.data["last_seq"] == message.data["prev_seq"] == 5


async def test_several_new_tickers_share_the_id_on_the_last() -> None:
    """An id after the first group would promise the second."""
    async with house() as built:
        for ticker in ("ada_usd", "btc_usd", "eth_usd"):
            await built.subscribe(ticker)
        reader = await built.opened(None, Position(EPOCH, 1))
        await reader.until_seq(3)
        assert names(reader)[1:] == [
            ("subscribed", "btc_usd"), ("snapshot", "btc_usd"), ("subscribed", "eth_usd"), ("snapshot", "eth_usd"),
        ]  # fmt: skip
        assert [event.id for event in reader.events[1:]] == [None, None, None, Position(EPOCH, 3)]
        assert [event.data["tickers"] for event in reader.named("subscribed")] == [
            ["ada_usd", "btc_usd"], ["ada_usd", "btc_usd", "eth_usd"],
        ]  # fmt: skip


async def test_a_cancelled_ticker_gets_nothing() -> None:
    """Not even what came between the id and the cancelling."""
    async with house() as built:
        await built.subscribe("btc_usd")
        await built.subscribe("eth_usd")
        await some_ticks(built, 2)
        await built.cancel("btc_usd")
        await some_ticks(built, 1, "eth_usd")
        reader = await built.opened(None, Position(EPOCH, 2))
        await reader.until_seq(6)
        assert names(reader) == [("connected", None), ("message", "eth_usd")]


async def test_a_ticker_cancelled_and_subscribed_again_counts_as_new() -> None:
    """What came while it was cancelled was never his."""
    async with house() as built:
        await built.subscribe("btc_usd")
        await built.cancel("btc_usd")
        await some_ticks(built, 2)
        await built.subscribe("btc_usd")
        reader = await built.opened(None, Position(EPOCH, 1))
        await reader.until_seq(5)
        assert names(reader) == [("connected", None), ("subscribed", "btc_usd"), ("snapshot", "btc_usd")]
        assert reader.events[-1].data["last_seq"] == 4


async def test_a_subscription_of_a_former_epoch_lies_before_every_id() -> None:
    """The saved set outlives the log."""
    async with house() as built:
        built.sets.sets["u"] = {"btc_usd": Position("019bd0f9a1b2c0", 500)}
        await some_ticks(built, 2)
        reader = await built.opened(None, Position(EPOCH, 1))
        await reader.until_seq(2)
        assert reader.seqs == [2]


async def test_a_change_that_is_being_published_is_waited_for() -> None:
    """Kept and not yet published: opened now, the stream would not know which ids lie before the change."""
    async with house() as built:
        subscribing = asyncio.create_task(built.sets.subscribe("u", "btc_usd"))
        await turns(1)
        assert built.sets.sets["u"] == {"btc_usd": None}
        first = await built.opened()
        publication = await subscribing
        assert publication is not None
        assert first.opening.tickers == ("btc_usd",)
        assert first.opening.position.seq >= publication.seq
        await some_ticks(built, 1)
        await first.until_seq(2)
        second = await built.opened(None, first.last_id)
        assert second.opening.tickers == ("btc_usd",)
        assert second.opening.later == ()


async def test_a_change_that_is_never_published_holds_nobody_up_for_good() -> None:
    """A process that died between keeping and publishing leaves a ticker that streams carry all the same."""
    async with house() as built:
        built.sets.sets["u"] = {"btc_usd": None}
        reader = await built.opened()
        assert reader.opening.tickers == ("btc_usd",)
        await some_ticks(built, 1)
        again = await built.opened(None, reader.opening.position)
        assert again.opening.tickers == ()
        [group] = again.opening.later
        assert events_of(group)[0].data == {"ticker": "btc_usd", "tickers": ["btc_usd"], "seq": None}


async def test_a_change_while_the_stream_opens_counts_already() -> None:
    """The seat is taken before the set is read, so nothing falls in between."""
    async with house() as built:
        await built.subscribe("btc_usd")
        opening = asyncio.create_task(built.opened(None, Position(EPOCH, 1)))
        await turns(1)
        told = SetChange("u", Change.SUBSCRIBED, "eth_usd", ("btc_usd", "eth_usd"), 2)
        await built.bus.publish_change("u", "eth_usd", encode(told))
        reader = await opening
        await reader.until_seq(2)
        assert names(reader) == [("connected", None), ("subscribed", "eth_usd"), ("snapshot", "eth_usd")]
        assert reader.events[1].data["seq"] == 2


async def test_what_is_known_of_a_former_epoch_is_told() -> None:
    """The first snapshot after a restart is the last stored tick with its age, and no seq."""
    async with house() as built:
        await built.bus.remember("btc_usd", tick("btc_usd").payload)
        reader = await built.opened(["btc_usd"])
        await reader.until_named("snapshot")
        [told] = reader.named("snapshot")
        assert (told.data["timestamp"], told.data["seq"], told.data["state"]) == (START_MS, None, "unknown")


async def test_a_log_trimmed_during_the_replay_ends_the_stream_before_the_hole() -> None:
    """What waits of later is not written after a hole: the reader comes back with an id that is true."""
    async with house(log_capacity=10) as built:
        await some_ticks(built, 8)
        reader = await built.opened(["btc_usd"], Position(EPOCH, 0), reading=False)
        await some_ticks(built, 9)
        reader.reads_on()
        await reader.until_ended()
        assert reader.seqs == []
        assert reader.named("disconnected")[0].data["reason"] == "slow"
        assert reader.last_id == Position(EPOCH, 0)


async def test_a_stream_asked_to_leave_during_its_replay_writes_nothing_beyond_it() -> None:
    """Shutdown in the middle of a replay: the last id is the last event that was written, and resumes exactly."""
    async with house() as built:
        await some_ticks(built, 12)
        reader = await built.opened(["btc_usd"], Position(EPOCH, 0), reading=False)
        await built.publish(tick("btc_usd", START_MS + 50), status("btc_usd"))
        built.hub.drain()
        reader.reads_on()
        await reader.until_ended()
        assert reader.seqs == list(range(1, 1 + len(reader.seqs)))
        assert len(reader.seqs) < 12
        assert reader.named("disconnected")[0].data["reason"] == "shutdown"


async def test_a_replay_ends_with_its_reader() -> None:
    """Promise: nobody asks the log for a reader who was told to leave, even where nothing in it is about his ticker."""
    async with house(ring_events=1) as built:
        await some_ticks(built, 1, "eth_usd")
        await some_ticks(built, 60)
        reader = await built.opened(["eth_usd"], Position(EPOCH, 1), reading=False)
        asked: list[int] = []

        async def since(after: Position, until: int, limit: int) -> list[Publication]:
            asked.append(after.seq)
            if len(asked) == 3:
                reader.seat.leave(Reason.SHUTDOWN)
            return await MemoryBus.since(cast("MemoryBus", built.bus), after, until, limit)

        built.bus.since = since  # type: ignore[method-assign]  # to look on
        reader.reads_on()
        await reader.until_ended()
    assert len(asked) == 3
    assert reader.named("disconnected")[0].data["reason"] == "shutdown"


async def test_a_replay_never_goes_on_in_another_epoch() -> None:
    """Promise: when the order begins anew while a page is waited for, no event of the new one is told with the old."""
    async with house() as built:
        await some_ticks(built, 40)
        reader = await built.opened(["btc_usd"], Position(EPOCH, 10), reading=False)
        page = asyncio.ensure_future(anext(built.openers[0].replay(reader.opening)))
        await turns(1)
        built.hub.begin(Position("another", 9), {})
        new = [published(tick("btc_usd", START_MS + at), at) for at in range(10, 40)]
        built.hub.broadcast([msgspec.structs.replace(each, position=Position("another", each.seq)) for each in new])
        with pytest.raises(LogTooShort):
            await page
