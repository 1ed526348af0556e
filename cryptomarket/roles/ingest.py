"""The side of the exchange: sessions, what they hear, and the questions that only a session can ask."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass

from cryptomarket.accounts.opening import Opening
from cryptomarket.accounts.person import Profile
from cryptomarket.backplane.bus import Fence
from cryptomarket.catalog.bulletin import Bulletin
from cryptomarket.catalog.directory import Catalogue
from cryptomarket.clock import Clock
from cryptomarket.deribit.auth import ClientKey
from cryptomarket.deribit.pool import Pool, PoolEvent, PoolOptions
from cryptomarket.foundation import Backplane, seal_secret
from cryptomarket.history.questions import History
from cryptomarket.ingest.errands import ErrandDesk
from cryptomarket.ingest.feed import Feed
from cryptomarket.ingest.gaps import Patience
from cryptomarket.ingest.holding import Holding, Periods
from cryptomarket.ingest.ownership import Ownership, slot_lease_name
from cryptomarket.market.ticks import FeedState, Status, Tick
from cryptomarket.pulse import IngestPulse, SessionPulse
from cryptomarket.reachability import Reachability
from cryptomarket.roles.side import Side, Work
from cryptomarket.secret import Secret
from cryptomarket.settings import Settings


class Stored:
    """The history, as those see it who go on from it."""

    def __init__(self, history: History) -> None:
        self._history = history

    async def last_tick(self, ticker: str) -> Tick | None:
        """The last stored tick of the stream."""
        stored = await self._history.last_tick(ticker)
        return stored.tick if stored is not None else None

    async def last_status(self, ticker: str) -> Status | None:
        """The last stored state of the feed."""
        stored = await self._history.last_status(ticker)
        if stored is None:
            return None
        return Status(stored.ticker, FeedState(stored.state), stored.since_ms, stored.age_ms, stored.reason)


class _Fences:
    """A slot's fence is the lease under which it is held."""

    def __init__(self) -> None:
        self.ownership: Ownership | None = None

    def fence_of(self, slot: int) -> Fence | None:
        lease = self.ownership.held.get(slot) if self.ownership is not None else None
        return Fence(slot_lease_name(slot), lease.token) if lease is not None else None


class _Identifier:
    """The pool, as the accounts see it."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def identify(self, client_id: str, secret: Secret, *, timeout_s: float) -> Profile:
        holder = await self._pool.identify(ClientKey(client_id, secret), timeout_s=timeout_s)
        return Profile(holder.deribit_id, holder.email, holder.username, holder.system_name, holder.type)


class _WhileOwned:
    """Runs something while this process owns what it needs. Another, which does, takes the letters meanwhile."""

    def __init__(self, owned: Callable[[], bool]) -> None:
        self._owned = owned
        self._changed = asyncio.Event()

    def look(self) -> None:
        """What is owned may have changed."""
        self._changed.set()

    async def run(self, work: Work) -> None:
        """For as long as it runs."""
        running: asyncio.Task[None] | None = None
        async with asyncio.TaskGroup() as group:
            while True:
                self._changed.clear()
                if self._owned() and running is None:
                    running = group.create_task(work())
                elif running is not None and not self._owned():
                    running.cancel()
                    running = None
                await self._changed.wait()


@dataclass(frozen=True, slots=True)
class Ingest:
    """The parts between the exchange and the bus."""

    pool: Pool
    feed: Feed
    holding: Holding
    ownership: Ownership
    catalogue: Catalogue
    side: Side

    def pulse(self) -> IngestPulse:
        """How it is, now."""
        states = self.pool.states()
        sessions = [
            SessionPulse(state.slot, state.purpose.value, state.state.value, state.since_ms, state.channels)
            for state in states
        ]
        return IngestPulse(
            reachable=self.pool.reachable,
            sessions=sessions,
            wanted=sorted(self.holding.wanted),
            watched=sorted(self.holding.watched),
            held=self.holding.held(),
            unheard=self.holding.unheard(),
            credits=states[0].credits if states else 0,
            gaps_open=sum(watch.cause is not None for watch in self.feed.watches.values()),
        )


def build_ingest(
    settings: Settings, ws_url: str, backplane: Backplane, history: History, clock: Clock, *, process: str
) -> Ingest:
    """Everything that hears the exchange. Raises StartRefused for keys that can't be."""
    fences = _Fences()
    feed = Feed(backplane.bus, fences, clock=clock)
    pool = _pool(settings, ws_url, feed.hear, clock)
    catalogue = Catalogue(pool, clock=clock, timeout_s=settings.request_timeout_s, absent_s=settings.refused_channel_s)
    errands = ErrandDesk(backplane.mailroom, pool, monotonic_s=clock.monotonic_s, timeout_s=settings.request_timeout_s)
    bulletin = Bulletin(catalogue, backplane.bus, random=random.random, on_listed=errands.forget)
    feed.on_instrument_state = bulletin.tell

    def own() -> None:
        pool.own(ownership.held)
        logins.look()

    ownership = fences.ownership = Ownership(
        backplane.leases,
        backplane.cache,
        owner=process,
        slots=settings.pool_size,
        login_slots=settings.login_slots,
        life_s=settings.slot_lease_s,
        on_change=own,
    )
    logins = _WhileOwned(lambda: any(slot not in pool.data_slots for slot in ownership.held))
    # What is another's until its lease says otherwise is not run here for a moment at the start.
    own()
    holding = Holding(
        backplane.demand,
        backplane.bus,
        catalogue,
        Stored(history),
        feed,
        pool,
        slots=lambda: [slot for slot in pool.data_slots if slot in ownership.held],
        always=settings.always_tickers,
        periods=_periods(settings),
        clock=clock,
    )
    opening = Opening(
        cache=backplane.cache,
        mailroom=backplane.mailroom,
        identifier=_Identifier(pool),
        seal_secret=seal_secret(settings),
        now_ms=clock.wall_ms,
        at_once=settings.login_slots,
        # No slot is kept for one who waits no longer.
        timeout_s=min(settings.request_timeout_s, settings.login_timeout_s),
    )
    reachability = Reachability(lambda: pool.reachable, exchange=settings.exchange.value, address=ws_url, clock=clock)
    side = Side(
        # The slots are given back last: what was heard on them is published under their leases.
        listeners={"ownership": ownership.run},
        speakers={
            "pool": pool.run,
            "catalogue": catalogue.run,
            "news of instruments, told": bulletin.speak,
            "news of instruments, heard": bulletin.listen,
            "feed": feed.run,
            "holding": holding.run,
            "silence": holding.run_silence,
            "opening": lambda: logins.run(opening.run),
            "errands": errands.run,
            "reachability": reachability.run,
        },
        farewell=lambda _: feed.publish_outbox(),
    )
    return Ingest(pool, feed, holding, ownership, catalogue, side)


def _periods(settings: Settings) -> Periods:
    return Periods(
        check_s=settings.demand_check_s,
        linger_s=settings.demand_linger_s,
        refused_s=settings.refused_channel_s,
        renew_s=settings.renew_channel_s,
        ask_timeout_s=settings.request_timeout_s,
        patience=Patience(settings.index_silence_s, settings.instrument_silence_s),
    )


def _pool(settings: Settings, ws_url: str, listener: Callable[[PoolEvent], None], clock: Clock) -> Pool:
    key = None
    if settings.deribit_client_id:
        key = ClientKey(settings.deribit_client_id, Secret(settings.deribit_client_secret.get_secret_value()))
    options = PoolOptions(
        ws_url=ws_url,
        size=settings.pool_size,
        login_slots=settings.login_slots,
        heartbeat_s=settings.session_heartbeat_s,
        request_timeout_s=settings.request_timeout_s,
        backoff_base_s=settings.session_backoff_base_s,
        backoff_cap_s=settings.session_backoff_cap_s,
        key=key,
    )
    return Pool(options, listener, clock=clock, random=random.random)
