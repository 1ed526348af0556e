"""What waits for the bus: bounded in the number of tickers, whatever happens while it is away."""

from __tests__.ingest.house import INDEX, OPTION
from __tests__.ingest.test_outage import World


async def test_nothing_piles_up_while_the_bus_is_away() -> None:
    """Promise: an outage of any length costs one tick per ticker, and one gap."""
    world = World()
    await world.begin()
    world.hears(INDEX, 1)
    assert await world.feed.publish_outbox()
    world.outage.begin()
    for price in range(500):
        world.hears(INDEX, price)
        world.hears(OPTION, price)
        if price % 50 == 0:
            assert not await world.feed.publish_outbox()
    assert world.feed.counts.unsaid > 900
    published = world.feed.counts.published
    world.outage.end()
    assert await world.feed.publish_outbox()
    # The index: its gap and its tick. The option, of which nothing was ever said: the same, and that it is live.
    assert world.feed.counts.published == published + 5
