"""The composition root: settings → parts, built in order, supervised together, closed in reverse.

Nobody below imports this. A part that crashes takes the process down, loudly: half-alive is the state we refuse.
"""

import asyncio
import os
import random
import secrets
from collections.abc import AsyncIterator, Collection, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import structlog

from cryptomarket.accounts.opening import IDENTIFY_TIMEOUT_S, Opening
from cryptomarket.accounts.parts import AccountsParts
from cryptomarket.accounts.person import Profile
from cryptomarket.backplane.bus import Fence
from cryptomarket.catalog.directory import Catalogue
from cryptomarket.clock import Clock
from cryptomarket.deribit.auth import ClientKey
from cryptomarket.deribit.pool import Pool, PoolEvent, PoolOptions
from cryptomarket.errors import DatabaseUnavailable
from cryptomarket.foundation import Backplane, accounts_on, accounts_values, memory_backplane, open_database
from cryptomarket.history.parts import HistoryParts
from cryptomarket.history.questions import History
from cryptomarket.history.repository import Repository
from cryptomarket.history.writer import Writer
from cryptomarket.ingest.feed import Feed
from cryptomarket.ingest.gaps import Patience
from cryptomarket.ingest.holding import Holding, Periods
from cryptomarket.ingest.ownership import Ownership, slot_lease_name
from cryptomarket.live.follow import Opener
from cryptomarket.live.hub import Hub
from cryptomarket.live.parts import LiveParts
from cryptomarket.live.recall import Recall
from cryptomarket.live.relay import Relay
from cryptomarket.live.repository import SavedSetRepository
from cryptomarket.live.stream import StreamLimits
from cryptomarket.live.subscriptions import Subscriptions, Wants
from cryptomarket.market.ticks import FeedState, Status, Tick
from cryptomarket.observation import Observer
from cryptomarket.operation import OperationParts
from cryptomarket.reachability import Reachability
from cryptomarket.secret import Secret
from cryptomarket.settings import Settings

log = structlog.get_logger(__name__)

# Whoever stops processes waits for ten seconds before he kills them, commonly.
KEEP_S = 5.0


@dataclass(frozen=True, slots=True)
class Runtime:
    """What runs: the state that routes take their parts from, and the hub, which ends streams."""

    state: Mapping[str, object]
    hub: Hub


@dataclass(frozen=True, slots=True)
class Ingest:
    """The parts between the exchange and the bus."""

    pool: Pool
    feed: Feed
    holding: Holding
    ownership: Ownership
    catalogue: Catalogue


class _Fences:
    """A slot's fence is the lease under which it is held."""

    def __init__(self) -> None:
        self.ownership: Ownership | None = None

    def fence_of(self, slot: int) -> Fence | None:
        lease = self.ownership.held.get(slot) if self.ownership is not None else None
        return Fence(slot_lease_name(slot), lease.token) if lease is not None else None


class _Memory:
    """The history, as ingest sees it."""

    def __init__(self, history: History) -> None:
        self._history = history

    async def last_tick(self, ticker: str) -> Tick | None:
        stored = await self._history.last_tick(ticker)
        return stored.tick if stored is not None else None

    async def last_status(self, ticker: str) -> Status | None:
        stored = await self._history.last_status(ticker)
        if stored is None:
            return None
        return Status(stored.ticker, FeedState(stored.state), stored.since_ms, stored.age_ms, stored.reason)


class _Identifier:
    """The pool, as the accounts see it."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def identify(self, client_id: str, secret: Secret, *, timeout_s: float) -> Profile:
        holder = await self._pool.identify(ClientKey(client_id, secret), timeout_s=timeout_s)
        return Profile(holder.deribit_id, holder.email, holder.username, holder.system_name, holder.type)


def _ingest(settings: Settings, ws_url: str, backplane: Backplane, history: History, clock: Clock) -> Ingest:
    fences = _Fences()
    feed = Feed(backplane.bus, fences, clock=clock)
    pool = _pool(settings, ws_url, feed, clock)
    catalogue = Catalogue(pool, clock=clock, timeout_s=settings.request_timeout_s, absent_s=settings.refused_channel_s)
    ownership = Ownership(
        backplane.leases,
        backplane.cache,
        owner=f"{os.getpid()}-{secrets.token_hex(4)}",
        slots=settings.pool_size,
        life_s=settings.slot_lease_s,
        on_change=lambda: pool.own(ownership.held),
    )
    fences.ownership = ownership
    holding = Holding(
        backplane.demand,
        backplane.bus,
        catalogue,
        _Memory(history),
        feed,
        pool,
        slots=lambda: [slot for slot in pool.data_slots if slot in ownership.held],
        always=settings.always_tickers,
        periods=Periods(
            check_s=settings.demand_check_s,
            linger_s=settings.demand_linger_s,
            refused_s=settings.refused_channel_s,
            renew_s=settings.renew_channel_s,
            ask_timeout_s=settings.request_timeout_s,
            patience=Patience(settings.index_silence_s, settings.instrument_silence_s),
        ),
        clock=clock,
    )
    return Ingest(pool, feed, holding, ownership, catalogue)


def _pool(settings: Settings, ws_url: str, feed: Feed, clock: Clock) -> Pool:
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

    def listener(event: PoolEvent) -> None:
        feed.hear(event)

    return Pool(options, listener, clock=clock, random=random.random)


@asynccontextmanager
async def running(settings: Settings, *, ws_url: str) -> AsyncIterator[Runtime]:
    """Everything, running until the block ends. Raises StartRefused, and whatever a part dies of."""
    clock = Clock.system()
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings))
        await stack.enter_async_context(database.alone())
        backplane = memory_backplane(
            clock, log_capacity=settings.log_capacity, log_hard_capacity=settings.log_hard_capacity
        )
        rows = Repository(database)
        history = History(rows, backplane.bus, clock=clock)
        writer = Writer(
            backplane.bus,
            rows,
            consumer=str(os.getpid()),
            flush_rows=settings.writer_flush_rows,
            flush_ms=settings.writer_flush_ms,
            clock=clock,
        )
        ingest = _ingest(settings, ws_url, backplane, history, clock)
        hub = Hub(
            await backplane.bus.head(),
            clock,
            backlog_bytes=settings.stream_backlog_bytes,
            ring_events=settings.stream_ring_events,
        )
        relay = Relay(backplane.bus, hub)
        await relay.begin()
        repository = SavedSetRepository(database, tickers_limit=settings.tickers_per_user)
        recall = Recall(hub, backplane.bus, _Memory(history))
        subscriptions = Subscriptions(repository, backplane.bus, ingest.catalogue, clock, recall=recall)
        wants = Wants(
            backplane.demand,
            hub,
            repository,
            subscriptions,
            clock,
            process=str(os.getpid()),
            life_s=settings.demand_life_s,
            saved_life_s=settings.saved_set_life_s,
        )
        accounts = accounts_on(settings, database, backplane, clock, on_revoked=hub.end, on_seen=wants.seen)
        await accounts.revocations.load()
        limits = StreamLimits(
            keep_alive_s=settings.keep_alive_s,
            lifetime_s=settings.stream_lifetime_s,
            backlog_bytes=settings.stream_backlog_bytes,
            lag_events=settings.stream_lag_events,
            farewell_s=settings.stream_farewell_s,
        )
        live = LiveParts(
            exchange=settings.exchange.value,
            hub=hub,
            opener=Opener(hub, backplane.bus, repository, ahead_s=limits.ahead_s, recall=recall),
            subscriptions=subscriptions,
            directory=ingest.catalogue,
            places=accounts.places,
            limits=limits,
            tickers_limit=settings.tickers_per_user,
            clock=clock,
            random=random.random,
        )
        observer = Observer(
            exchange=settings.exchange.value,
            database=database,
            bus=backplane.bus,
            leases=backplane.leases,
            pool=ingest.pool,
            feed=ingest.feed,
            holding=ingest.holding,
            hub=hub,
            writer=writer,
            places=accounts.places,
        )
        operation = OperationParts(settings.exchange.value, observer.reachable, observer.readiness, observer.operation)
        opening = Opening(
            cache=backplane.cache,
            mailroom=backplane.mailroom,
            identifier=_Identifier(ingest.pool),
            seal_secret=accounts_values(settings).seal_secret,
            now_ms=clock.wall_ms,
            at_once=settings.login_slots,
            # No slot is kept for one who waits no longer.
            timeout_s=min(IDENTIFY_TIMEOUT_S, settings.login_timeout_s),
        )
        reachability = Reachability(observer.reachable, exchange=settings.exchange.value, address=ws_url, clock=clock)
        readers = {
            # The slots are given back last: what was heard on them is published under their leases.
            "ownership": ingest.ownership.run(),
            "relay": relay.run(),
            "writer": writer.run(),
            "revocations": accounts.revocations.run(),
        }
        speakers = {
            "pool": ingest.pool.run(),
            "catalogue": ingest.catalogue.run(),
            "feed": ingest.feed.run(),
            "holding": ingest.holding.run(),
            "silence": ingest.holding.run_silence(),
            "opening": opening.run(),
            "wants of streams": wants.run_streams(),
            "wants of saved sets": wants.run_saved(),
            "reachability": reachability.run(),
        }
        state = {
            "live": live,
            "history": HistoryParts(history, ingest.catalogue, clock),
            "accounts": accounts,
            "operation": operation,
        }
        async with asyncio.TaskGroup() as listening:
            listeners = _start(listening, readers)
            try:
                async with asyncio.TaskGroup() as speaking:
                    mouths = _start(speaking, speakers)
                    try:
                        yield Runtime(state, hub)
                    finally:
                        await _end(mouths.values())
            finally:
                # In the order of the walk of a tick: nothing new is heard, what was heard is published and stored.
                # Also when a part has died: whoever listens outlives those who speak.
                await ingest.feed.publish_outbox()
                await asyncio.shield(_keep(writer, writing=listeners["writer"], accounts=accounts))
                await _end(listeners.values())


def _start(
    group: asyncio.TaskGroup, works: Mapping[str, Coroutine[object, object, None]]
) -> dict[str, asyncio.Task[None]]:
    tasks = {name: group.create_task(work, name=name) for name, work in works.items()}
    for task in tasks.values():
        task.add_done_callback(_tell_death)
    return tasks


def _tell_death(task: asyncio.Task[None]) -> None:
    """Says at once what the process dies of; the rest of its end may take a while."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.critical("a part has died, and the process ends", part=task.get_name(), exc_info=error)


async def _end(tasks: Collection[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _keep(writer: Writer, *, writing: asyncio.Task[None], accounts: AccountsParts) -> None:
    """Writes down what is only in memory, so far as the database and the writer live and let us, for KEEP_S at most."""
    flushing = asyncio.create_task(writer.flush())
    try:
        async with asyncio.timeout(KEEP_S):
            await asyncio.wait((flushing, writing), return_when=asyncio.FIRST_COMPLETED)
            await accounts.profiles.flush()
    except (DatabaseUnavailable, TimeoutError) as away:
        log.warning("could not write everything down before the end", reason=str(away) or "it took too long")
    finally:
        flushing.cancel()
        await asyncio.gather(flushing, return_exceptions=True)
