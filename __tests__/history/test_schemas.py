import json
from decimal import Decimal

import pytest

from __tests__.history.outside import Names, open_to_all
from __tests__.history.world import StoppedClock, heard, index_tick, new_bus, new_cache, option_tick, perpetual_tick
from cryptomarket.history.parts import build_history
from cryptomarket.history.questions import History, TicksQuestion
from cryptomarket.history.repository import Repository
from cryptomarket.history.schemas import CandlesAnswer, Latest, Stats, TickAt, TickRow, TicksPage
from cryptomarket.market.candles import Resolution
from cryptomarket.market.ticks import Gap, GapCause


@pytest.mark.parametrize("ticker", ["btc_usd", "BTC-PERPETUAL", "XRP_USDC-30JUN26-0d625-C"])
async def test_what_is_answered_is_what_is_documented(
    repository: Repository, stopped: StoppedClock, ticker: str
) -> None:
    """The answers are written past the schemas for the sake of their digits, so they are held against them here."""
    gap = Gap(ticker, 1, 9, GapCause.WRITER)
    await repository.keep(heard([index_tick(1), perpetual_tick(2), option_tick(3), gap]))
    history = History(repository, new_bus(), clock=stopped.clock)
    page = TicksPage.model_validate_json((await history.ticks(TicksQuestion(ticker=ticker))).body)
    assert (page.count, len(page.gaps), page.complete) == (1, 1, False)
    [row] = page.data
    assert isinstance(row, TickRow)
    assert row.ticker == ticker
    latest = Latest.model_validate_json(await history.latest(ticker))
    assert latest.seq == row.seq
    assert TickAt.model_validate_json(await history.at(ticker, 5)).seq == row.seq
    figures = build_history(repository, new_bus(), new_cache(), open_to_all(), Names(), stopped.clock).figures
    stats = Stats.model_validate_json((await figures.stats(ticker, None, None)).body)
    candles = CandlesAnswer.model_validate_json((await figures.candles(ticker, Resolution.DAY_1, 0, 9)).body)
    assert stats.count == candles.count == (0 if row.price is None else 1)


async def test_the_schema_knows_every_field_that_all_rows_have(repository: Repository, stopped: StoppedClock) -> None:
    """An index has no other fields than those that are documented."""
    await repository.keep(heard([index_tick(1, "85500.000000001")]))
    answer = await History(repository, new_bus(), clock=stopped.clock).ticks(TicksQuestion(ticker="btc_usd"))
    [row] = json.loads(answer.body, parse_float=Decimal)["data"]
    assert set(row) == set(TickRow.model_fields)
    assert TickRow.model_validate(row).price == Decimal("85500.000000001")
