"""Our candles beside the exchange's own: of the simulator, asked through a session and by letter."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import cast

import pytest

from __tests__.deribit.ears import Ears, options_for, running_pool
from __tests__.history.world import StoppedClock
from cryptomarket.backplane.memory import MemoryMailroom
from cryptomarket.catalog.directory import Catalogue
from cryptomarket.clock import Clock
from cryptomarket.db import Database
from cryptomarket.deribit.charts import Charts
from cryptomarket.deribit.history import Requester
from cryptomarket.deribit.pool import Pool
from cryptomarket.errors import ExchangeUnavailable, Impossible
from cryptomarket.history.agreement import CANDLES_UNLESS_SAID, MAX_DIFFERENCES, CandleCheck, Stretch, Told
from cryptomarket.history.repository import Repository
from cryptomarket.history.tables import price_tickers
from cryptomarket.ingest.errands import ErrandDesk, Errands
from cryptomarket.market.candles import Candle, Resolution
from cryptomarket.market.instruments import Instrument, Kind
from cryptomarket.market.ticks import Gap, GapCause
from cryptomarket.simulator.options import SimulatorOptions
from cryptomarket.simulator.server import running

MINUTE_MS = 60_000
APART_MS = 19_000
PERPETUAL = Instrument("BTC-PERPETUAL", Kind.PERPETUAL)
MINUTES = Stretch(Resolution.MINUTE_1, None, None)


@asynccontextmanager
async def asked_by_letter(pool: Pool) -> AsyncIterator[Requester]:
    """The pool, as a process without sessions has it."""
    mailroom, clock = MemoryMailroom(), Clock.system()
    desk = ErrandDesk(mailroom, pool, monotonic_s=clock.monotonic_s, timeout_s=5)
    serving = asyncio.create_task(desk.run())
    try:
        yield Errands(mailroom)
    finally:
        serving.cancel()
        await asyncio.wait([serving])


async def listen_to(database: Database, repository: Repository, candles: Sequence[Candle]) -> None:
    """Stores a stream that was heard tick by tick, as these candles tell it."""
    await repository.make_places(candle.start_ms for candle in candles)
    rows = [
        {
            "ticker": PERPETUAL.name, "epoch": "e", "seq": candle.start_ms + at, "source": "stream",
            "kind": "perpetual", "instrument_name": PERPETUAL.name, "timestamp_ms": candle.start_ms + at * APART_MS,
            "received_us": (candle.start_ms + at * APART_MS) * 1000, "published_us": 1, "price": price,
        }
        for candle in candles
        for at, price in enumerate((candle.open, candle.high, candle.low, candle.close))
    ]  # fmt: skip
    async with database.begin() as connection:
        await connection.execute(price_tickers.insert(), rows)


def check_on(requester: Requester, repository: Repository, clock: Clock) -> CandleCheck:
    return CandleCheck(
        Charts(requester, timeout_s=5), Catalogue(requester, clock=Clock.system(), timeout_s=5), repository, clock
    )


def told_of(report: Told) -> dict[int, dict[str, object]]:
    """The differences of a report by their time."""
    return {cast("int", each["timestamp"]): each for each in cast("list[dict[str, object]]", report["differences"])}


@pytest.mark.parametrize("by_letter", [False, True])
async def test_what_was_heard_as_the_exchange_tells_it_agrees_and_what_was_not_is_told(
    database: Database, repository: Repository, by_letter: bool
) -> None:
    """Promise: candles of the same prices agree, to the digit; a minute that was not heard, one that was heard
    otherwise, and one that nobody but us has are told with what each side says, and whether a gap explains it.
    """
    async with running(SimulatorOptions(port=0)) as simulator, running_pool(options_for(simulator), Ears()) as pool:
        now_ms = Clock.system().wall_ms()
        end_ms = Resolution.MINUTE_1.start_of(now_ms - 10_000)
        start_ms = end_ms - 30 * MINUTE_MS
        theirs = await Charts(pool, timeout_s=5).candles(PERPETUAL, Resolution.MINUTE_1, start_ms, end_ms)
        heard = [each for each in theirs if each.start_ms not in (start_ms + 5 * MINUTE_MS, start_ms + 6 * MINUTE_MS)]
        await listen_to(database, repository, heard)
        await repository.keep_unpublished(
            [Gap(PERPETUAL.name, start_ms + 5 * MINUTE_MS + 1, start_ms + 6 * MINUTE_MS, GapCause.DISCONNECT)]
        )
        async with asked_by_letter(pool) as letters:
            check = check_on(letters if by_letter else pool, repository, StoppedClock(now_ms).clock)
            report = await check.check({"btc-perpetual", "btc_usd", "NO-SUCH"}, MINUTES)
            assert (report["start"], report["end"]) == (end_ms - CANDLES_UNLESS_SAID * MINUTE_MS, end_ms)
            assert [report[name] for name in ("tickers", "indices", "candles", "agreeing")] == [1, 1, 30, 28]
            assert [report[name] for name in ("missing_here", "missing_there", "synthetic", "differing")] == [
                2,
                0,
                0,
                0,
            ]
            assert list(cast("dict[str, str]", report["refused"])) == ["NO-SUCH"]
            assert {at: told["in_gap"] for at, told in told_of(report).items()} == {
                start_ms + 5 * MINUTE_MS: True, start_ms + 6 * MINUTE_MS: False,
            }  # fmt: skip
            async with database.begin() as connection:
                other = price_tickers.update().where(price_tickers.c.timestamp_ms == start_ms + 2 * APART_MS)
                await connection.execute(other.values(price=Decimal(1)))
            asked = Stretch(Resolution.MINUTE_1, start_ms + 1, start_ms + 2 * MINUTE_MS)
            report = await check.check([PERPETUAL.name], asked)
            assert (report["start"], report["end"]) == (start_ms, start_ms + 2 * MINUTE_MS)
            assert report["differences"] == [
                {
                    "ticker": PERPETUAL.name, "timestamp": start_ms, "verdict": "differing", "in_gap": False,
                    "synthetic": False, "prices": {"low": {"here": Decimal(1), "there": theirs[0].low}},
                }
            ]  # fmt: skip


class Chart:
    """An exchange that has every minute, each filled in; `is_away` says that it has none at all."""

    def __init__(self) -> None:
        self.is_away = False
        self.asked: list[tuple[int, int]] = []

    async def request(self, method: str, params: dict[str, object], *, timeout_s: float) -> bytes:
        if method == "public/get_instrument":
            return b'{"instrument_name":"BTC-PERPETUAL","kind":"future","settlement_period":"perpetual","state":"open"}'
        if self.is_away:
            raise ExchangeUnavailable("It is away.")
        start_ms, end_ms = cast("int", params["start_timestamp"]), cast("int", params["end_timestamp"])
        self.asked.append((start_ms, end_ms))
        ticks = list(range(start_ms, end_ms, MINUTE_MS))
        prices, nothing = ["7.0"] * len(ticks), ["0"] * len(ticks)
        columns = dict.fromkeys(("open", "high", "low", "close"), prices) | {"volume": nothing, "cost": nothing}
        told = ",".join(f'"{name}":[{",".join(column)}]' for name, column in columns.items())
        return f'{{"status":"ok","ticks":{ticks},{told}}}'.encode()


def flat(start_ms: int, price: str) -> Candle:
    cost = Decimal(price)
    return Candle(start_ms, start_ms + MINUTE_MS, cost, cost, cost, cost, 1, start_ms, start_ms)


async def test_what_was_filled_in_is_missing_nowhere_and_only_closed_candles_since_we_listen_are_compared(
    database: Database, repository: Repository, stopped: StoppedClock
) -> None:
    """Promise: a filler where nothing was heard is told as one, and one that we heard otherwise differs; before our
    first whole candle, and before a candle is closed, nothing is compared; a report is bounded, its counts are not.
    """
    exchange, end_ms = Chart(), Resolution.MINUTE_1.start_of(stopped.now_ms - 10_000)
    check = check_on(exchange, repository, stopped.clock)
    report = await check.check([PERPETUAL.name], MINUTES)
    assert (report["tickers"], report["candles"], exchange.asked) == (1, 0, [])
    first_ms = end_ms - 40 * MINUTE_MS
    heard = [
        flat(first_ms - 3 * APART_MS - 1, "9"),
        flat(first_ms, "7"),
        flat(first_ms + MINUTE_MS, "8"),
        flat(end_ms, "7"),
    ]
    await listen_to(database, repository, heard)
    report = await check.check([PERPETUAL.name], MINUTES)
    assert exchange.asked == [(first_ms - MINUTE_MS, end_ms - 1)]
    assert [report[name] for name in ("candles", "agreeing", "synthetic", "differing")] == [40, 1, 38, 1]
    told = told_of(report)
    assert len(told) == MAX_DIFFERENCES
    both = {name: {"here": Decimal(8), "there": Decimal(7)} for name in ("open", "high", "low", "close")}
    assert (told[first_ms + MINUTE_MS]["prices"], told[first_ms + MINUTE_MS]["synthetic"]) == (both, True)
    assert told[first_ms + 2 * MINUTE_MS]["verdict"] == "synthetic"


async def test_what_can_not_be_compared_says_so(
    database: Database, repository: Repository, stopped: StoppedClock
) -> None:
    """Promise: a range that can't be is refused with a sentence; an exchange that is away is one for the next try."""
    exchange, now_ms = Chart(), stopped.now_ms
    check = check_on(exchange, repository, stopped.clock)
    for start_ms, end_ms in ((now_ms + 1, None), (now_ms, now_ms - 1), (0, now_ms)):
        with pytest.raises(Impossible):
            await check.check([PERPETUAL.name], Stretch(Resolution.MINUTE_1, start_ms, end_ms))
    await listen_to(database, repository, [flat(Resolution.MINUTE_1.start_of(now_ms) - 5 * MINUTE_MS, "7")])
    exchange.is_away = True
    with pytest.raises(ExchangeUnavailable):
        await check.check([PERPETUAL.name], MINUTES)
