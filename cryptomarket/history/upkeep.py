"""What keeps history in order: the last ticks told again, old ones removed, closed minutes kept."""

from collections.abc import Collection

from cryptomarket.backplane.bus import Bus
from cryptomarket.clock import Clock
from cryptomarket.db import Month
from cryptomarket.history.collection_repository import CollectionRepository
from cryptomarket.history.folding import folded
from cryptomarket.history.look_repository import Look
from cryptomarket.history.reach import NOWHERE
from cryptomarket.history.repository import Repository
from cryptomarket.history.retention_repository import RetentionRepository
from cryptomarket.market.candles import GRACE_MS, Candle, Resolution
from cryptomarket.market.wire import encode_tick

DAY_MS = 86_400_000
STEP_MS = 3_600_000
_MINUTE_MS = 60_000
# A price that comes late revises its minute; one that comes later than so long is not looked for.
REVISED_MS = 10 * 60_000
# Bound: so much of a ticker's past is folded in one run; the next one goes on from there.
FOLDED_MS = DAY_MS
Told = dict[str, object]


async def refresh_latest(bus: Bus, repository: Repository, names: Collection[str]) -> Told:
    """Gives the bus the last stored tick of each of these tickers of which it knows none, as the last one known. Raises
    BusUnavailable and DatabaseUnavailable.
    """
    _, pictures = await bus.pictures(names)
    known = [name for name, picture in pictures.items() if picture.tick is not None or picture.remembered is not None]
    remembered = []
    for name in sorted(set(names).difference(known)):
        stored = await repository.last_tick(name)
        if stored is not None:
            tick = stored.tick
            await bus.remember(name, encode_tick(tick, published_us=tick.published_us or tick.received_us))
            remembered.append(name)
    return {"wanted": len(names), "remembered": remembered}


async def remove_old_ticks(repository: RetentionRepository, *, now_ms: int, days: int, dry_run: bool) -> Told:
    """Removes ticks, statuses and gaps older than `days`. Where ticks are divided by months, a month goes when all of
    it is old, at once; elsewhere rows go an hour at a time, so that nobody waits long for the database. Up to where
    something was removed is remembered, so that no resume passes over it. With `dry_run` it is only counted.
    """
    # A minute goes whole or not at all: of what is left of one, no candle may be made anew.
    before_ms = Resolution.MINUTE_1.start_of(now_ms - days * DAY_MS)
    if repository.has_months:
        month = Month.of(before_ms)
        before_ms = month.start_ms if month is not None else before_ms
    told: Told = {"before_ms": before_ms, "dry_run": dry_run}
    months = [month for month in await repository.months() if month.end_ms <= before_ms]
    if dry_run:
        return told | {"months": [_named(month) for month in months], "rows": await repository.count_before(before_ms)}
    rows = 0
    for month in months:
        rows += await repository.drop(month)
    oldest_ms = await repository.oldest_ms()
    while oldest_ms is not None and oldest_ms < before_ms:
        rows += await repository.remove_before(min(before_ms, oldest_ms - oldest_ms % STEP_MS + STEP_MS))
        oldest_ms = await repository.oldest_ms()
    rows += await repository.remove_before(before_ms)
    return told | {"months": [_named(month) for month in months], "rows": rows}


def _named(month: Month) -> str:
    return f"{month.year:04}-{month.month:02}"


async def finalise_candles(
    repository: Repository, kept: CollectionRepository, names: Collection[str], *, clock: Clock
) -> Told:
    """Folds the minutes that are over into candles, and keeps them; the last again, since late prices revise."""
    closed_ms = Resolution.MINUTE_1.start_of(clock.wall_ms() - GRACE_MS)
    count = 0
    for name in sorted(names):
        last_ms = await kept.last_candle_ms(name)
        next_ms = await kept.first_tick_ms(name, from_ms=0 if last_ms is None else last_ms + _MINUTE_MS)
        if last_ms is None and next_ms is None:
            continue
        # However long nothing was heard, the next tick is found.
        start_ms = Resolution.MINUTE_1.start_of(next_ms or 0) if last_ms is None else last_ms - REVISED_MS
        end_ms = closed_ms if next_ms is None else min(closed_ms, next_ms + FOLDED_MS)
        minutes = await _minutes(repository, name, start_ms, Resolution.MINUTE_1.start_of(end_ms))
        await kept.keep_candles(name, minutes)
        count += len(minutes)
    return {"tickers": len(names), "minutes": count}


async def _minutes(repository: Repository, ticker: str, start_ms: int, end_ms: int) -> list[Candle]:
    def fold(look: Look) -> list[Candle]:
        newest_id = look.extent(ticker, stored_up_to=NOWHERE).newest_id
        return folded(look, ticker, Resolution.MINUTE_1, start_ms, end_ms, newest_id=newest_id)

    return await repository.look(fold)
