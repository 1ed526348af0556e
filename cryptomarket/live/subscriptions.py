"""Changing saved sets, and what they demand of the exchange."""

import asyncio
from collections.abc import Sequence
from weakref import WeakValueDictionary

import structlog

from cryptomarket.backplane.bus import Bus
from cryptomarket.backplane.demand import Demand
from cryptomarket.clock import Clock
from cryptomarket.errors import BusUnavailable, NotFound, Unavailable
from cryptomarket.live.catching_up import CatchingUp
from cryptomarket.live.hub import Hub
from cryptomarket.live.recall import Recall
from cryptomarket.live.repository import SavedSetRepository, SavedSince
from cryptomarket.market.instruments import Directory
from cryptomarket.market.wire import Change, SetChange, encode

log = structlog.get_logger(__name__)

SAVED_OWNER = "saved"


class Subscriptions:
    """Subscribe and cancel: kept first, then published, so that whoever hears of a change finds it kept."""

    def __init__(
        self,
        repository: SavedSetRepository,
        bus: Bus,
        directory: Directory,
        clock: Clock,
        *,
        recall: Recall | None = None,
    ) -> None:
        self._repository = repository
        self._bus = bus
        self._directory = directory
        self._clock = clock
        self._recall = recall
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self.changed = asyncio.Event()

    async def subscribe(self, user_id: str, name: str) -> tuple[str, bool]:
        """The ticker as the exchange spells it, and whether it is new in the set. Raises UnknownTicker, Impossible."""
        ticker = (await self._directory.resolve(name)).name
        if self._recall is not None:
            await self._recall([ticker])
        async with self._turn_of(user_id):
            added = await self._repository.add(user_id, ticker, self._clock.wall_ms())
            if added.change is not None:
                await self._publish([added.change])
        return ticker, added.created

    async def cancel(self, user_id: str, name: str) -> str:
        """The ticker that was taken out. Raises NotFound when it was not in the set."""
        async with self._turn_of(user_id):
            ticker = self._named([saved.ticker for saved in await self._repository.tickers(user_id)], name)
            if ticker is not None:
                changes = await self._repository.remove(user_id, [ticker], self._clock.wall_ms())
                await self._publish(changes)
        if ticker is None or not changes:
            raise NotFound(f"You are not subscribed to {name[:64]!r}.", field="ticker")
        return ticker

    def _named(self, had: Sequence[str], name: str) -> str | None:
        """The one of these that a name means. Two may differ in case alone (`btc_usdc` the index, `BTC_USDC` the spot):
        a name that is written as the exchange writes one of them never means the other.
        """
        known = self._directory.known(name)
        exact = known.name if known is not None else name
        if exact in had:
            return exact
        alike = [ticker for ticker in had if ticker.casefold() == name.casefold()]
        return alike[0] if known is None and len(alike) == 1 else None

    async def publish_unplaced(self, *, older_than_ms: int) -> None:
        """Publishes subscriptions that were kept and never published, because a process ended in between: without a
        position, a resume would count them as new for ever.
        """
        for change in await self._repository.unplaced(before_ms=self._clock.wall_ms() - older_than_ms):
            await self._publish([change])

    async def cancel_all(self, user_id: str) -> list[str]:
        """The tickers that were taken out."""
        async with self._turn_of(user_id):
            changes = await self._repository.remove(user_id, None, self._clock.wall_ms())
            await self._publish(changes)
        return [change.ticker for change in changes]

    async def tickers(self, user_id: str) -> list[SavedSince]:
        """The user's set."""
        return await self._repository.tickers(user_id)

    def _turn_of(self, user_id: str) -> asyncio.Lock:
        """Changes of one set are published in the order in which they were kept."""
        return self._turns.setdefault(user_id, asyncio.Lock())

    async def _publish(self, changes: Sequence[SetChange]) -> None:
        for change in changes:
            publication = await self._bus.publish_change(change.user_id, change.ticker, encode(change))
            if change.change is Change.SUBSCRIBED:
                await self._repository.placed(publication, change)
        if changes:
            self.changed.set()


class Wants:
    """Says what this process wants of the exchange: the tickers of its open streams, and the saved sets of users who
    were seen within `saved_life_s`. Renewed in time, so that it lapses with this process.
    """

    def __init__(
        self,
        demand: Demand,
        hub: Hub,
        repository: SavedSetRepository,
        subscriptions: Subscriptions,
        clock: Clock,
        *,
        process: str,
        life_s: float,
        saved_life_s: float,
        patience_s: float = 5.0,
    ) -> None:
        self._demand = demand
        self._hub = hub
        self._repository = repository
        self._subscriptions = subscriptions
        self._clock = clock
        self._owner = f"streams:{process}"
        self._life_s = life_s
        self._saved_life_s = saved_life_s
        self._patience_ms = round(patience_s * 1000)
        self._seen: set[str] = set()
        self._catching_up = CatchingUp(hub, repository, clock, patience_s=patience_s)
        hub.on_bus_back = self._bus_is_back

    def _bus_is_back(self) -> None:
        """Changes that were made meanwhile could not be told: sets are read anew, and wants said anew, at once."""
        self._catching_up.at_once = True
        self._subscriptions.changed.set()
        self._hub.demand_changed.set()

    def seen(self, user_id: str) -> None:
        """A user was here. Bound: one entry per user until the next round, which writes them down."""
        self._seen.add(user_id)

    async def run_streams(self) -> None:
        """Keeps the streams' demand said for as long as it runs."""
        while True:
            self._hub.demand_changed.clear()
            try:
                await self._demand.want(self._owner, self._hub.tickers, life_s=self._life_s)
            except BusUnavailable as away:
                # Said again in time, and when the bus is back; it counts until its life is over.
                log.warning("what streams want could not be said", reason=away.detail)
            await _rung(self._hub.demand_changed, self._life_s / 3)

    async def run_saved(self) -> None:
        """Keeps the saved sets' demand said for as long as it runs."""
        while True:
            self._subscriptions.changed.clear()
            for part in (self.look_after_streams, self._publish_unplaced, self.say_saved):
                try:
                    await part()
                except Unavailable as away:
                    # What was said before counts until its life is over; the next round says it anew.
                    log.warning("saved sets could not be looked after", part=away.part, reason=away.detail)
            await _rung(self._subscriptions.changed, min(self._life_s / 3, self._saved_life_s / 2))

    async def look_after_streams(self) -> None:
        """One round: brings streams to their sets as they are kept. Raises DatabaseUnavailable."""
        await self._catching_up.look()

    async def _publish_unplaced(self) -> None:
        await self._subscriptions.publish_unplaced(older_than_ms=self._patience_ms)

    async def say_saved(self) -> None:
        """One round: notes who was seen, and says what the recent users' sets want."""
        now_ms = self._clock.wall_ms()
        with_streams = {seat.owner_id for seat in self._hub.seats}
        seen, self._seen = self._seen | with_streams, set()
        if seen:
            await self._repository.seen(seen, now_ms)
        wanted = await self._repository.demanded(now_ms - round(self._saved_life_s * 1000))
        await self._demand.want(SAVED_OWNER, wanted, life_s=self._life_s)


async def _rung(bell: asyncio.Event, wait_s: float) -> None:
    try:
        async with asyncio.timeout(wait_s):
            await bell.wait()
    except TimeoutError:
        return
