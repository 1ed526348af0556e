"""What is known of tickers: by the bus in this epoch, else by the store."""

from __tests__.ingest.house import INDEX, OPTION, Hands, tick_at
from __tests__.ingest.test_takeover import Store
from cryptomarket.backplane.bus import Fence, Outgoing
from cryptomarket.backplane.memory import MemoryBus
from cryptomarket.ingest.gaps import Known
from cryptomarket.ingest.recollection import Recollection
from cryptomarket.market.ticks import FeedState, GapCause, Status
from cryptomarket.market.wire import PublicationKind, encode, encode_tick

AT_MS = 1_768_768_182_000


def bus_of(epoch: str) -> MemoryBus:
    return MemoryBus(epoch, is_newest=lambda _name, _token: True)


async def test_the_bus_knows_best_and_the_store_what_it_does_not() -> None:
    """Promise: hearing goes on from the last tick that anybody has, and the bus remembers the one that was stored."""
    hands, bus = Hands(), bus_of("e1")
    told = Status(INDEX.name, FeedState.LIVE, AT_MS, 0, "heard")
    heard = tick_at(INDEX, AT_MS)
    batch = [
        Outgoing(PublicationKind.TICK, INDEX.name, encode_tick(heard, published_us=hands.now_us)),
        Outgoing(PublicationKind.STATUS, INDEX.name, encode(told)),
    ]
    await bus.publish(batch, Fence("slot:0", 1))
    stored = tick_at(OPTION, AT_MS - 1000)
    recollection = Recollection(bus, Store({OPTION.name: stored, INDEX.name: stored}))
    recalled = await recollection.of([INDEX.name, OPTION.name, "eth_usd"])
    assert recalled.epoch == "e1"
    assert recalled.known[OPTION.name] == Known(stored, None, GapCause.RESTART)
    assert recalled.known["eth_usd"] == Known(None, None, GapCause.RESTART)
    known = recalled.known[INDEX.name]
    assert (known.last is not None and known.last.says_the_same(heard), known.told) == (True, told)
    _, pictures = await bus.pictures([OPTION.name])
    assert pictures[OPTION.name].remembered is not None


async def test_the_last_state_is_known_whoever_told_it() -> None:
    """Promise: since when the last state held is known from the bus, from the store where the bus has begun anew, and
    from both the later one.
    """
    bus = bus_of("e1")
    tick = Outgoing(PublicationKind.TICK, INDEX.name, encode_tick(tick_at(INDEX, AT_MS), published_us=1))
    for name, since_ms in ((INDEX.name, AT_MS), (OPTION.name, AT_MS + 10)):
        status = Status(name, FeedState.STALE, since_ms, 0, "silence")
        await bus.publish([Outgoing(PublicationKind.STATUS, name, encode(status))], Fence("s", 1))
    await bus.publish([tick], Fence("s", 1))
    store = Store({name: tick_at(OPTION, AT_MS) for name in (OPTION.name, "eth_usd")})
    store.statuses = {
        name: Status(name, FeedState.LIVE, AT_MS + 20, 0, "heard") for name in (INDEX.name, OPTION.name, "eth_usd")
    }
    recalled = await Recollection(bus, store).of([INDEX.name, OPTION.name, "eth_usd", "sol_usd"])
    said_ms = {ticker: known.said_ms for ticker, known in recalled.known.items()}
    assert said_ms == {INDEX.name: AT_MS, OPTION.name: AT_MS + 20, "eth_usd": AT_MS + 20, "sol_usd": 0}


async def test_who_cannot_be_looked_up_is_left_out() -> None:
    """Promise: without what was stored, no gap could be told; who needs nothing stored is not kept waiting."""
    bus = bus_of("e1")
    tick = tick_at(INDEX, AT_MS)
    await bus.publish([Outgoing(PublicationKind.TICK, INDEX.name, encode_tick(tick, published_us=1))], Fence("s", 1))
    recalled = await Recollection(bus, Store(away=True)).of([INDEX.name, OPTION.name])
    assert set(recalled.known) == {INDEX.name}
