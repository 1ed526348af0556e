"""The side of the readers: accounts, streams, saved sets and history."""

import random
from collections.abc import Mapping
from dataclasses import dataclass

from cryptomarket.accounts.parts import AccountsParts
from cryptomarket.catalog.directory import Catalogue
from cryptomarket.clock import Clock
from cryptomarket.db import Database
from cryptomarket.foundation import Backplane, accounts_on
from cryptomarket.history.exports import ExportLimits
from cryptomarket.history.parts import build_history
from cryptomarket.history.public import PublicPrices
from cryptomarket.history.questions import History
from cryptomarket.history.replay import Replay
from cryptomarket.history.replay_repository import ReplayRepository
from cryptomarket.history.repository import Repository
from cryptomarket.live.follow import Opener
from cryptomarket.live.hub import Hub
from cryptomarket.live.parts import LiveParts
from cryptomarket.live.recall import Recall
from cryptomarket.live.relay import Relay
from cryptomarket.live.repository import SavedSetRepository
from cryptomarket.live.stream import StreamLimits
from cryptomarket.live.subscriptions import Subscriptions, Wants
from cryptomarket.roles.ingest import Stored
from cryptomarket.roles.side import Side
from cryptomarket.settings import Settings


@dataclass(frozen=True, slots=True)
class Api:
    """What readers are served from. `state` is what the rooms' routes take their parts from."""

    hub: Hub
    accounts: AccountsParts
    state: Mapping[str, object]
    side: Side


async def build_api(
    settings: Settings,
    database: Database,
    backplane: Backplane,
    history: History,
    directory: Catalogue,
    clock: Clock,
    *,
    process: str,
) -> Api:
    """Everything that serves readers, its hub at the head of the bus. Raises StartRefused for keys that can't be."""
    hub = Hub(
        await backplane.bus.head(),
        clock,
        backlog_bytes=settings.stream_backlog_bytes,
        ring_events=settings.stream_ring_events,
    )
    relay = Relay(backplane.bus, hub)
    await relay.begin()
    repository = SavedSetRepository(database, tickers_limit=settings.tickers_per_user)
    recall = Recall(hub, backplane.bus, Stored(history))
    subscriptions = Subscriptions(repository, backplane.bus, directory, clock, recall=recall)
    wants = Wants(
        backplane.demand,
        hub,
        repository,
        subscriptions,
        clock,
        process=process,
        life_s=settings.demand_life_s,
        saved_life_s=settings.saved_set_life_s,
        patience_s=settings.change_patience_s,
    )
    accounts = accounts_on(settings, database, backplane, clock, on_revoked=hub.end, on_seen=wants.seen)
    await accounts.revocations.load()
    limits = _limits(settings)
    live = LiveParts(
        exchange=settings.exchange.value,
        hub=hub,
        opener=Opener(
            hub,
            backplane.bus,
            repository,
            ahead_s=limits.ahead_s,
            recall=recall,
            archive=Replay(ReplayRepository(database), backplane.bus),
        ),
        subscriptions=subscriptions,
        directory=directory,
        places=accounts.places,
        limits=limits,
        tickers_limit=settings.tickers_per_user,
        clock=clock,
        random=random.random,
    )
    public = PublicPrices(
        backplane.limiter, clock, tickers=settings.always_tickers, per_minute=settings.public_prices_per_minute
    )
    past = build_history(
        Repository(database),
        backplane.bus,
        backplane.cache,
        public,
        directory,
        clock,
        is_silent=hub.is_silent,
        limits=ExportLimits(settings.exports_at_once, settings.exports_per_user, settings.export_stall_s),
    )
    state = {"live": live, "history": past, "catalog": directory, "accounts": accounts}
    side = Side(
        listeners={"relay": relay.run, "revocations": accounts.revocations.run},
        speakers={"wants of streams": wants.run_streams, "wants of saved sets": wants.run_saved},
        farewell=lambda _: accounts.profiles.flush(),
    )
    return Api(hub, accounts, state, side)


def _limits(settings: Settings) -> StreamLimits:
    return StreamLimits(
        keep_alive_s=settings.keep_alive_s,
        lifetime_s=settings.stream_lifetime_s,
        backlog_bytes=settings.stream_backlog_bytes,
        lag_events=settings.stream_lag_events,
        farewell_s=settings.stream_farewell_s,
    )
