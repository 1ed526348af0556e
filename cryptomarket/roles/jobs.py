"""The side of the jobs: what each does, on the parts of this process, and the clock of a gateway of one process."""

import random
from collections.abc import Mapping
from dataclasses import dataclass

from cryptomarket.accounts.jobs import flush_persons
from cryptomarket.accounts.profiles import Profiles
from cryptomarket.accounts.repository import AccountsRepository
from cryptomarket.catalog.directory import Catalogue
from cryptomarket.catalog.jobs import refresh_catalogue
from cryptomarket.clock import Clock
from cryptomarket.db import Database
from cryptomarket.deribit.charts import Charts
from cryptomarket.deribit.history import IndexPrices, Records, StampedRequester
from cryptomarket.deribit.trades import Trades
from cryptomarket.foundation import Backplane
from cryptomarket.history.agreement import CandleCheck, Stretch
from cryptomarket.history.collecting import Collector, unheard
from cryptomarket.history.collection_repository import CollectionRepository
from cryptomarket.history.jobs import make_months
from cryptomarket.history.repository import Repository
from cryptomarket.history.retention_repository import RetentionRepository
from cryptomarket.history.upkeep import finalise_candles, refresh_latest, remove_old_ticks
from cryptomarket.jobs.arguments import Arguments, Checking, OfTickers, Removing, Repairing
from cryptomarket.jobs.clockwork import Clockwork
from cryptomarket.jobs.job import Occasion, Result, Work
from cryptomarket.jobs.repository import RunRepository
from cryptomarket.jobs.runner import Runner
from cryptomarket.observation import Observer
from cryptomarket.pulse import Pulses
from cryptomarket.roles.requests import moment_ms
from cryptomarket.roles.timetable import jobs_in
from cryptomarket.settings import Settings


@dataclass(frozen=True, slots=True)
class Works:
    """What the jobs do. Everything is asked of the parts when it is done, so that each may be run twice."""

    settings: Settings
    backplane: Backplane
    rows: Repository
    collector: Collector
    candle_check: CandleCheck
    retention: RetentionRepository
    profiles: Profiles
    catalogue: Catalogue
    pulses: Pulses
    database: Database
    clock: Clock

    def by_name(self) -> Mapping[str, Work]:
        """Each job's function."""
        return {
            "collect_index_prices": self.collect_index_prices,
            "collect_tickers": self.collect_tickers,
            "refresh_latest": self.refresh_latest,
            "flush_persons": self.flush_persons,
            "check_health": self.check_health,
            "remove_old_ticks": self.remove_old_ticks,
            "make_partitions": self.make_partitions,
            "finalise_candles": self.finalise_candles,
            "check_candles": self.check_candles,
            "refresh_catalogue": self.refresh_catalogue,
            "repair_gaps": self.repair_gaps,
        }

    async def _wanted(self) -> frozenset[str]:
        return await self.backplane.demand.wanted() | frozenset(self.settings.always_tickers)

    async def collect_index_prices(self, arguments: Arguments, occasion: Occasion) -> Result:
        """See Collector.index_prices."""
        names = _named(arguments) or self.settings.collected_indices
        return await self.collector.index_prices(names, job="collect_index_prices", scheduled_ms=occasion.scheduled_ms)

    async def collect_tickers(self, arguments: Arguments, occasion: Occasion) -> Result:
        """Of the wanted tickers those whose feed is not live; of named ones, all."""
        names = _named(arguments) or await unheard(self.backplane.bus, await self._wanted())
        return await self.collector.tickers(names, job="collect_tickers", scheduled_ms=occasion.scheduled_ms)

    async def refresh_latest(self, _arguments: Arguments, _occasion: Occasion) -> Result:
        """See upkeep.refresh_latest."""
        return await refresh_latest(self.backplane.bus, self.rows, await self._wanted())

    async def flush_persons(self, _arguments: Arguments, _occasion: Occasion) -> Result:
        """See accounts.jobs."""
        return await flush_persons(self.profiles)

    async def check_health(self, _arguments: Arguments, _occasion: Occasion) -> Result:
        """Each part's own truth, as `/ready` of a gateway of one process would tell it."""
        await self.pulses.beat()
        observer = Observer(
            exchange=self.settings.exchange.value,
            hears=True,
            stores=True,
            database=self.database,
            bus=self.backplane.bus,
            leases=self.backplane.leases,
            ingests=lambda: self.pulses.ingests,
            stores_known=lambda: self.pulses.stores,
            hub=None,
            places=None,
        )
        parts = await observer.readiness()
        told = {name: {"ready": part.ready, "detail": part.detail} for name, part in parts.items()}
        return {"ready": all(part.ready for part in parts.values()), "parts": told}

    async def remove_old_ticks(self, arguments: Arguments, _occasion: Occasion) -> Result:
        """See upkeep.remove_old_ticks. Without a retention, and without days that are named, nothing is old."""
        asked = arguments if isinstance(arguments, Removing) else Removing()
        days = asked.days or self.settings.retention_days
        if not days:
            return {"rows": 0, "dry_run": asked.dry_run, "retention_days": 0}
        return await remove_old_ticks(self.retention, now_ms=self.clock.wall_ms(), days=days, dry_run=asked.dry_run)

    async def make_partitions(self, _arguments: Arguments, _occasion: Occasion) -> Result:
        """See history.jobs."""
        return {"due_again_ms": await make_months(self.rows, now_ms=self.clock.wall_ms())}

    async def finalise_candles(self, arguments: Arguments, _occasion: Occasion) -> Result:
        """See upkeep.finalise_candles. One that is named and unknown is told, and fails what names no other."""
        found, failed = await self.collector.resolved(_named(arguments))
        if failed and not found:
            raise next(iter(failed.values()))
        names = found or await self._wanted()
        told = await finalise_candles(self.rows, self.collector.repository, names, clock=self.clock)
        return {**told, "refused": {name: str(failure) for name, failure in failed.items()}}

    async def check_candles(self, arguments: Arguments, _occasion: Occasion) -> Result:
        """See CandleCheck.check."""
        asked = arguments if isinstance(arguments, Checking) else Checking()
        stretch = Stretch(asked.resolution, moment_ms(asked.start, "start"), moment_ms(asked.end, "end"))
        return await self.candle_check.check(_named(arguments) or await self._wanted(), stretch)

    async def refresh_catalogue(self, _arguments: Arguments, _occasion: Occasion) -> Result:
        """See catalog.jobs."""
        return await refresh_catalogue(self.catalogue, self.backplane.bus if self.backplane.is_shared else None)

    async def repair_gaps(self, arguments: Arguments, _occasion: Occasion) -> Result:
        """See Collector.gaps."""
        limit = (arguments if isinstance(arguments, Repairing) else Repairing()).gaps
        return await self.collector.gaps(await self._wanted(), job="repair_gaps", limit=limit)


def _named(arguments: Arguments) -> list[str]:
    return (arguments.tickers or []) if isinstance(arguments, OfTickers) else []


def build_works(
    settings: Settings,
    database: Database,
    backplane: Backplane,
    requester: StampedRequester,
    catalogue: Catalogue,
    clock: Clock,
    *,
    process: str,
) -> Works:
    """`requester` asks the exchange: the pool of this process, or letters to whoever has one."""
    timeout_s = settings.request_timeout_s
    rows = Repository(database)
    return Works(
        settings=settings,
        backplane=backplane,
        rows=rows,
        collector=Collector(
            prices=IndexPrices(requester, clock=clock, timeout_s=timeout_s),
            records=Records(requester, clock=clock, timeout_s=timeout_s),
            trades=Trades(requester, clock=clock, timeout_s=timeout_s),
            directory=catalogue,
            repository=CollectionRepository(database),
        ),
        candle_check=CandleCheck(Charts(requester, timeout_s=timeout_s), catalogue, rows, clock),
        retention=RetentionRepository(database),
        profiles=Profiles(backplane.cache, AccountsRepository(database), now_ms=clock.wall_ms),
        catalogue=catalogue,
        pulses=Pulses(backplane.cache, process=process, beat_s=settings.pulse_s),
        database=database,
        clock=clock,
    )


def build_runner(settings: Settings, works: Works) -> Runner:
    """Whoever runs the jobs of these parts."""
    return Runner(
        works.by_name(),
        RunRepository(works.database),
        works.backplane.leases,
        clock=works.clock,
        kept=settings.job_runs_kept,
        random=random.random,
    )


def build_clockwork(settings: Settings, works: Works) -> Clockwork:
    """The clock of a gateway of one process."""
    runs = RunRepository(works.database)
    return Clockwork(jobs_in(settings), build_runner(settings, works), runs, clock=works.clock)
