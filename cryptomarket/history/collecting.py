"""Prices by request: collected on schedule beside the stream, and asked for where the stream was not heard.

Each function may be called twice for one time: what is stored is stored once.
"""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import structlog

from cryptomarket.backplane.bus import Bus, Picture
from cryptomarket.deribit.history import IndexPrices, Records
from cryptomarket.deribit.trades import Trades
from cryptomarket.errors import (
    CryptomarketError,
    DatabaseUnavailable,
    ExchangeError,
    ExchangeFatal,
    ExchangeRetryable,
    ExchangeUnavailable,
    Impossible,
    UnknownTicker,
)
from cryptomarket.history.collection_repository import CollectionRepository, Errand
from cryptomarket.history.rows import StoredGap
from cryptomarket.market.instruments import Directory, Instrument, Kind
from cryptomarket.market.ticks import FeedState, Source, Tick
from cryptomarket.market.wire import decode_status

log = structlog.get_logger(__name__)

AT_ONCE = 8
"""Bound: questions of one run that are under way together."""

KEPT_MS = 2 * 86_400_000
TRADES_OF_A_GAP = 20_000
# So many gaps may fail for now before a run asks for no more: the exchange is away, then, and not a gap ill.
FAILURES = 3
_FOR_NOW = ExchangeRetryable | ExchangeUnavailable | DatabaseUnavailable
Told = dict[str, object]
Failures = dict[str, CryptomarketError]


@dataclass(frozen=True, slots=True)
class Collector:
    """Asks, and keeps what it is told."""

    prices: IndexPrices
    records: Records
    trades: Trades
    directory: Directory
    repository: CollectionRepository

    async def resolved(self, names: Collection[str]) -> tuple[dict[str, Instrument], Failures]:
        """The instruments of these names in any case, each once and by its own name; and by the name that was given,
        why there is none: UnknownTicker, or ExchangeUnavailable where that can't be found out now.
        """
        turns = asyncio.Semaphore(AT_ONCE)
        found: dict[str, Instrument] = {}
        failed: Failures = {}

        async def one(name: str) -> None:
            async with turns:
                try:
                    instrument = await self.directory.resolve(name)
                    found[instrument.name] = instrument
                except (UnknownTicker, ExchangeUnavailable) as failure:
                    failed[name] = failure

        async with asyncio.TaskGroup() as together:
            for name in dict.fromkeys(names):
                together.create_task(one(name))
        return found, failed

    async def index_prices(self, names: Collection[str], *, job: str, scheduled_ms: int) -> Told:
        """The prices of indices, asked for together, each kept as soon as it is there. Raises the failure of one
        that may be well the next time, once the others are kept; one that the exchange refuses for good, that nobody
        knows or that is no index only says so.
        """
        found, failed = await self.resolved(names)
        for name in [name for name, instrument in found.items() if instrument.kind is not Kind.INDEX]:
            failed[name] = Impossible(f"{name} is no index; collect_tickers asks for it.", field="tickers")
            del found[name]
        return await self._collect(found, failed, job=job, scheduled_ms=scheduled_ms)

    async def tickers(self, names: Collection[str], *, job: str, scheduled_ms: int) -> Told:
        """The same for tickers of any kind, the one that was collected the longest ago first: where there are more than
        a period has time for, each has its turn.
        """
        last_ms = await self.repository.last_done(job)
        found, failed = await self.resolved(names)
        in_turn = sorted(found, key=lambda name: (last_ms.get(name, 0), name))
        return await self._collect({name: found[name] for name in in_turn}, failed, job=job, scheduled_ms=scheduled_ms)

    async def _now(self, instrument: Instrument) -> Tick:
        if instrument.kind is Kind.INDEX:
            return await self.prices.price(instrument.name)
        return await self.records.ticker(instrument)

    async def _collect(
        self, instruments: Mapping[str, Instrument], failed: Failures, *, job: str, scheduled_ms: int
    ) -> Told:
        had = await self.repository.done(job, scheduled_ms)
        turns = asyncio.Semaphore(AT_ONCE)
        stored: Told = {}

        async def one(name: str, instrument: Instrument) -> None:
            async with turns:
                try:
                    tick = await self._now(instrument)
                    if await self.repository.keep(Errand(job, name, scheduled_ms), [tick], Source.COLLECTED):
                        stored[name] = {"price": tick.price, "timestamp": tick.timestamp_ms}
                except (ExchangeError, ExchangeUnavailable, DatabaseUnavailable) as failure:
                    failed[name] = failure

        async with asyncio.TaskGroup() as together:
            for name, instrument in instruments.items():
                if name not in had:
                    together.create_task(one(name, instrument))
        again = [failure for failure in failed.values() if isinstance(failure, _FOR_NOW)]
        if again:
            raise again[0]
        if failed and not stored and not had:
            raise next(iter(failed.values()))
        await self.repository.forget(job, before_ms=scheduled_ms - KEPT_MS)
        return {"stored": stored, "refused": {name: str(failure) for name, failure in failed.items()}}

    async def gaps(self, names: Collection[str], *, job: str, limit: int) -> Told:
        """The trades of recorded gaps, newest gap first, kept beside the stream. A gap stays recorded: trades are not
        all that was missed. Indices have no trades; of them there is nothing to ask for.

        One gap keeps no other waiting: what the exchange refuses for good is not asked for again, and what fails for
        now is passed over. Raises the failure where nothing else came of the run.
        """
        instruments = {each.name: each for each in await self._instruments(names)}
        found = await self.repository.open_gaps(job, sorted(instruments), limit=limit)
        rows = done = 0
        refused: Told = {}
        failed: list[CryptomarketError] = []
        for gap in found:
            errand = Errand(job, gap.ticker, gap.to_ms)
            try:
                trades = await self._trades(instruments[gap.ticker], gap)
            except ExchangeFatal as failure:
                refused[f"{gap.ticker} {gap.from_ms}"] = str(failure)
                trades = []
            except (ExchangeRetryable, ExchangeUnavailable) as failure:
                failed.append(failure)
                if len(failed) == FAILURES:
                    break
                continue
            done += 1
            if await self.repository.keep(errand, trades, Source.BACKFILL):
                rows += len(trades)
        if failed and not done:
            raise failed[0]
        return {"gaps": done, "rows": rows, "refused": refused, "failed": len(failed)}

    async def _trades(self, instrument: Instrument, gap: StoredGap) -> list[Tick]:
        return await self.trades.between(instrument, gap.from_ms, gap.to_ms, limit=TRADES_OF_A_GAP)

    async def _instruments(self, names: Collection[str]) -> list[Instrument]:
        found = []
        for name in sorted(names):
            try:
                instrument = await self.directory.resolve(name)
            except UnknownTicker:
                log.info("a wanted ticker is unknown to the exchange", ticker=name)
                continue
            if instrument.kind is not Kind.INDEX:
                found.append(instrument)
        return found


async def unheard(bus: Bus, names: Collection[str]) -> list[str]:
    """Those of these tickers whose feed is not live, and whose instrument has not expired. Raises BusUnavailable."""
    _, pictures = await bus.pictures(names)
    return [name for name in sorted(names) if _state(pictures.get(name)) not in (FeedState.LIVE, FeedState.EXPIRED)]


def _state(picture: Picture | None) -> FeedState:
    if picture is None or picture.status is None:
        return FeedState.UNKNOWN
    return decode_status(picture.status.payload).state
