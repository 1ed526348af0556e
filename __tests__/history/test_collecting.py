"""Collecting by request: each ticker for itself, and what failed is told."""

from dataclasses import dataclass, field
from decimal import Decimal

import pytest
from sqlalchemy import select

from __tests__.history.world import FENCE, index_tick
from cryptomarket.backplane.bus import Outgoing
from cryptomarket.backplane.memory import MemoryBus
from cryptomarket.catalog.directory import Catalogue
from cryptomarket.clock import Clock
from cryptomarket.db import Database
from cryptomarket.deribit.history import IndexPrices, Records
from cryptomarket.deribit.messages import Stamped
from cryptomarket.deribit.trades import Trades
from cryptomarket.errors import ExchangeFatal, ExchangeRetryable, Impossible, UnknownTicker
from cryptomarket.history.collecting import Collector, unheard
from cryptomarket.history.collection_repository import CollectionRepository
from cryptomarket.history.repository import Repository
from cryptomarket.history.tables import price_tickers
from cryptomarket.market.ticks import FeedState, Gap, GapCause, Status
from cryptomarket.market.wire import PublicationKind, encode

TIME_MS = 1_790_165_100_000
PERPETUAL = (
    b'{"instrument_name":"BTC-PERPETUAL","kind":"future","settlement_period":"perpetual","base_currency":"BTC",'
    b'"quote_currency":"USD","is_active":true,"state":"open"}'
)
INSTRUMENTS = ("BTC-PERPETUAL", "ETH-PERPETUAL", "SOL-PERPETUAL")
TICKER = b'{"instrument_name":"%s","timestamp":%d,"state":"open","mark_price":85500.1,"last_price":85500.5}'
TRADES = b'{"trades":[{"timestamp":%d,"price":85500.5,"mark_price":85500.1,"index_price":85499.0}],"has_more":false}'


@dataclass
class Exchange:
    """Answers by name; `broken` names fail so, once they are known."""

    broken: dict[str, Exception] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def request(self, method: str, params: dict[str, object], *, timeout_s: float) -> bytes:
        return (await self.stamped(method, params, timeout_s=timeout_s)).result

    async def stamped(self, method: str, params: dict[str, object], *, timeout_s: float) -> Stamped:
        name = str(params.get("index_name") or params.get("instrument_name") or "")
        self.asked.append(name)
        if name in self.broken and method != "public/get_instrument":
            raise self.broken[name]
        if method == "public/get_instrument" and not name.endswith("-PERPETUAL"):
            raise ExchangeFatal(-32602, "Invalid params", reason="instrument not found")
        result = {
            "public/get_index_price_names": b'["btc_usd","eth_usd"]',
            "public/get_instrument": PERPETUAL.replace(b"BTC-PERPETUAL", name.encode()),
            "public/ticker": TICKER % (name.encode(), TIME_MS),
            "public/get_last_trades_by_instrument_and_time": TRADES % (TIME_MS + 500),
        }.get(method, b'{"index_price":8.55e4,"estimated_delivery_price":1}')
        return Stamped(result, TIME_MS * 1000 + 999)


def collector(exchange: Exchange, database: Database) -> Collector:
    clock = Clock.system()
    return Collector(
        prices=IndexPrices(exchange, clock=clock),
        records=Records(exchange, clock=clock),
        trades=Trades(exchange, clock=clock),
        directory=Catalogue(exchange, clock=clock),
        repository=CollectionRepository(database),
    )


async def test_one_that_fails_for_now_keeps_no_other_from_being_stored(
    database: Database, repository: Repository
) -> None:
    """Promise: its failure is raised once the others are kept; the next try asks for what is missing alone."""
    exchange = Exchange({"eth_usd": ExchangeRetryable(10028, "too_many_requests")})
    collecting = collector(exchange, database)
    with pytest.raises(ExchangeRetryable):
        await collecting.index_prices(["btc_usd", "eth_usd"], job="collect", scheduled_ms=TIME_MS)
    stored = await repository.last_row("btc_usd")
    assert stored is not None
    assert (stored.price, stored.timestamp_ms) == (Decimal("8.55E+4"), TIME_MS)
    exchange.broken, exchange.asked = {}, []
    told = await collecting.index_prices(["btc_usd", "eth_usd"], job="collect", scheduled_ms=TIME_MS)
    assert exchange.asked == ["eth_usd"]
    assert told == {"stored": {"eth_usd": {"price": Decimal(85500), "timestamp": TIME_MS}}, "refused": {}}


async def test_one_that_the_exchange_refuses_for_good_only_says_so(database: Database) -> None:
    """Promise: an index that is refused is told; where there is nothing else, the job fails."""
    collecting = collector(Exchange({"eth_usd": ExchangeFatal(-32602, "Invalid params")}), database)
    told = await collecting.tickers(["btc_usd"], job="collect", scheduled_ms=TIME_MS)
    assert list(told) == ["stored", "refused"]
    told = await collecting.index_prices(["btc_usd", "eth_usd"], job="prices", scheduled_ms=TIME_MS)
    assert "-32602" in str(told["refused"])
    with pytest.raises(ExchangeFatal):
        await collecting.index_prices(["eth_usd"], job="collect", scheduled_ms=TIME_MS + 1)


async def test_a_name_counts_in_any_case_and_once(database: Database) -> None:
    """Promise: names that differ in case alone are one ticker, asked for once and stored once under its own name, also
    when another spelling was collected for that time before.
    """
    exchange = Exchange()
    collecting = collector(exchange, database)
    names = ["btc-perpetual", "BTC_USD", "BTC-PERPETUAL", "btc_usd"]
    told = await collecting.tickers(names, job="collect", scheduled_ms=TIME_MS)
    assert sorted(told["stored"]) == ["BTC-PERPETUAL", "btc_usd"]  # type: ignore[call-overload]
    told = await collecting.tickers(["Btc-Perpetual", "Btc_Usd"], job="collect", scheduled_ms=TIME_MS)
    assert told == {"stored": {}, "refused": {}}
    told = await collecting.index_prices(["BTC_USD"], job="prices", scheduled_ms=TIME_MS)
    assert list(told["stored"]) == ["btc_usd"]  # type: ignore[call-overload]
    async with database.read() as connection:
        rows = (await connection.execute(select(price_tickers.c.ticker).order_by(price_tickers.c.id))).scalars().all()
    assert sorted(rows) == ["BTC-PERPETUAL", "btc_usd", "btc_usd"]


async def test_what_is_no_index_and_what_nobody_knows_is_told(database: Database) -> None:
    """Promise: each with its sentence, beside what is well; where there is nothing else, the job fails with it, and the
    exchange was asked for the price of neither.
    """
    exchange = Exchange()
    collecting = collector(exchange, database)
    names = ["btc_usd", "btc-perpetual", "eth_us"]
    told = await collecting.index_prices(names, job="collect", scheduled_ms=TIME_MS)
    assert list(told["stored"]) == ["btc_usd"]  # type: ignore[call-overload]
    assert told["refused"] == {
        "eth_us": "There is no ticker 'eth_us'. Did you mean btc_usd?",
        "BTC-PERPETUAL": "BTC-PERPETUAL is no index; collect_tickers asks for it.",
    }
    with pytest.raises(Impossible, match="BTC-PERPETUAL is no index"):
        await collecting.index_prices(["BTC-PERPETUAL"], job="prices", scheduled_ms=TIME_MS)
    with pytest.raises(UnknownTicker, match="There is no ticker 'eth_us'"):
        await collecting.tickers(["eth_us"], job="prices", scheduled_ms=TIME_MS)


async def test_the_trades_of_a_gap_are_stored_once(database: Database, repository: Repository) -> None:
    """Promise: a recorded gap of an instrument is asked for once, and its trades are rows of a source of their own."""
    await repository.keep_unpublished([Gap("BTC-PERPETUAL", TIME_MS, TIME_MS + 1000, GapCause.DISCONNECT)])
    collecting = collector(Exchange(), database)
    assert await collecting.gaps({"BTC-PERPETUAL", "btc_usd"}, job="repair", limit=5) == {
        "gaps": 1, "rows": 1, "refused": {}, "failed": 0
    }  # fmt: skip
    row = await repository.last_row("BTC-PERPETUAL")
    assert row is not None
    assert (row.source, row.price, row.timestamp_ms) == ("backfill", Decimal("85500.5"), TIME_MS + 500)
    assert (await collecting.gaps({"BTC-PERPETUAL"}, job="repair", limit=5))["gaps"] == 0


async def test_a_gap_that_fails_keeps_no_other_waiting(database: Database, repository: Repository) -> None:
    """Promise: older gaps are asked for although the newest is refused, which is not asked for again if that was for
    good; where nothing else comes of a run, it fails.
    """
    gaps = [Gap(name, TIME_MS, TIME_MS + 1000 + at, GapCause.DISCONNECT) for at, name in enumerate(INSTRUMENTS)]
    await repository.keep_unpublished(gaps)
    exchange = Exchange(
        {INSTRUMENTS[1]: ExchangeFatal(-32602, "no"), INSTRUMENTS[2]: ExchangeRetryable(10028, "later")}
    )
    collecting = collector(exchange, database)
    told = await collecting.gaps(INSTRUMENTS, job="repair", limit=5)
    assert (told["gaps"], told["rows"], told["failed"]) == (2, 1, 1)
    assert "-32602" in str(told["refused"])
    with pytest.raises(ExchangeRetryable):
        await collecting.gaps(INSTRUMENTS, job="repair", limit=5)
    exchange.broken = {}
    assert (await collecting.gaps(INSTRUMENTS, job="repair", limit=5))["gaps"] == 1


async def test_each_ticker_has_its_turn(database: Database) -> None:
    """Promise: where a period has no time for all, the next one begins with those that were left."""
    exchange = Exchange({"eth_usd": ExchangeFatal(-32602, "not in this period")})
    collecting = collector(exchange, database)
    await collecting.tickers(["btc_usd", "eth_usd"], job="collect", scheduled_ms=TIME_MS)
    exchange.broken, exchange.asked = {}, []
    await collecting.tickers(["btc_usd", "eth_usd"], job="collect", scheduled_ms=TIME_MS + 1)
    assert [name for name in exchange.asked if name] == ["eth_usd", "btc_usd"]


async def test_only_what_is_not_heard_is_asked_for() -> None:
    """Promise: a ticker whose feed is live costs no question; one without a word of it does."""
    bus = MemoryBus("epoch", is_newest=lambda _name, _token: True, log_capacity=100, log_hard_capacity=100)
    for ticker, state in (("btc_usd", FeedState.LIVE), ("eth_usd", FeedState.DOWN), ("X-1", FeedState.EXPIRED)):
        await bus.publish([Outgoing(PublicationKind.STATUS, ticker, encode(Status(ticker, state, TIME_MS)))], FENCE)
    assert index_tick(TIME_MS).ticker == "btc_usd"
    assert await unheard(bus, {"btc_usd", "eth_usd", "X-1", "sol_usd"}) == ["eth_usd", "sol_usd"]
