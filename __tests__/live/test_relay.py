"""From the bus into the hub."""

import asyncio

import pytest

from __tests__.live.pipe import Pipe
from __tests__.live.world import EPOCH, FENCE, START_MS, events_of, eventually, house, status, tick
from cryptomarket.live.mailbox import LogMailbox
from cryptomarket.live.seat import Reason, Seat
from cryptomarket.market.position import Position

pytestmark = pytest.mark.usefixtures("way")


async def test_a_hub_begins_at_the_head_with_what_is_known() -> None:
    """A process that starts late knows every ticker as of the position it starts at."""
    async with house() as built:
        built.running[0].cancel()
        await asyncio.wait(built.running)
        await built.bus.publish([tick("btc_usd"), status("btc_usd")], FENCE)
        await built.relays[0].begin()
        assert built.hub.position == Position(EPOCH, 2)
        assert built.hub.picture("btc_usd").last_seq == 2


async def test_everything_that_is_published_is_broadcast_in_order() -> None:
    """One bus subscription serves all seats, and no sequence is left out."""
    async with house() as built:
        reader = await built.opened(["btc_usd"])
        for at in range(50):
            await built.publish(tick("btc_usd", START_MS + at), tick("eth_usd", START_MS + at))
        await reader.until_seq(99)
        assert reader.seqs == list(range(1, 100, 2))


async def test_what_is_published_in_one_turn_leaves_in_one_write() -> None:
    """Promise: whatever comes until the loop turns, in however many batches, is one write for each reader; what comes
    in the next one is another.
    """
    async with house() as built:
        seat, pipe = Seat(LogMailbox(100_000), "u", follows_set=False), Pipe(lambda: None)
        built.hub.admit(seat)
        built.hub.place(seat, ["btc_usd"], 0)
        built.hub.connect(seat, pipe.line)
        for at in (0, 1):
            await built.bus.publish([tick("btc_usd", START_MS + at)], FENCE)
        await eventually(lambda: built.hub.position.seq == 2)
        await built.bus.publish([tick("btc_usd", START_MS + 2)], FENCE)
        await eventually(lambda: built.hub.position.seq == 3)
        written = [[event.data["seq"] for event in events_of(body)] for body in pipe.take()]
        assert written == [[1, 2], [3]]


async def test_who_falls_behind_the_log_starts_anew_and_says_so() -> None:
    """A relay that was outrun has a hole: its streams end before it, and come back to be reset."""
    async with house(log_capacity=5) as built:
        reader = await built.opened(["btc_usd"], reading=False)
        await built.publish(tick("btc_usd"))
        await built.bus.publish([tick("btc_usd", START_MS + at) for at in range(20)], FENCE)
        await built.heard()
        await built.publish(tick("btc_usd", START_MS + 100))
        reader.reads_on()
        await reader.until_ended()
        assert reader.seat.reason is Reason.DRAIN
        assert reader.seqs == [1]
        assert reader.last_id == Position(EPOCH, 1)
        again = await built.opened(["btc_usd"], reader.last_id)
        await again.until_named("snapshot")
        assert again.named("connected")[0].data["resume"] == "reset"
        assert again.named("snapshot")[0].data["seq"] == 22
