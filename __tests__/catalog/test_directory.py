"""The catalogue: every ticker that exists is found, none that doesn't, and the exchange is not asked in vain."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from __tests__.deribit.ears import Ears, options_for, running_pool
from cryptomarket.catalog.directory import Catalogue
from cryptomarket.clock import Clock
from cryptomarket.deribit.errors import failure_of
from cryptomarket.errors import CryptomarketError, ExchangeUnavailable, UnknownTicker
from cryptomarket.market.instruments import Directory, Kind
from cryptomarket.simulator.options import SimulatorOptions
from cryptomarket.simulator.server import running

INDICES = ["btc_usd", "eth_usd", "btc_usdc"]
ROWS = [
    {"instrument_name": "BTC-PERPETUAL", "kind": "future", "settlement_period": "perpetual"},
    {"instrument_name": "BTC_USDC", "kind": "spot"},
    {"instrument_name": "BTC-27DEC26-50000-C", "kind": "option"},
]
LATER = {"instrument_name": "XRP_USDC-30JUN26-0d625-C", "kind": "option"}


async def at_once() -> None:
    """No waiting at the gate."""


class Exchange:
    """Answers three methods from lists, counts, and can be away or refuse."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.rows: list[dict[str, Any]] = list(ROWS)
        self.indices = list(INDICES)
        self.trouble: CryptomarketError | None = None
        self.gate: Callable[[], Awaitable[object]] = at_once

    async def request(self, method: str, params: dict[str, object], *, timeout_s: float) -> bytes:
        self.asked.append(str(params.get("instrument_name", method)))
        await self.gate()
        if self.trouble is not None:
            raise self.trouble
        if method == "public/get_index_price_names":
            return msgspec.json.encode(self.indices)
        if method == "public/get_instruments":
            return msgspec.json.encode(self.rows)
        for row in [*self.rows, LATER]:
            if row["instrument_name"] == params["instrument_name"]:
                return msgspec.json.encode(row)
        raise failure_of(-32602, "Invalid params", method, "instrument not found")


class Time:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.clock = Clock(lambda: self.now_s, lambda: 0)


@pytest.fixture
def exchange() -> Exchange:
    return Exchange()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def catalogue(exchange: Exchange, time: Time) -> Catalogue:
    return Catalogue(exchange, clock=time.clock, max_absent=3, max_asking=2)


async def test_what_was_loaded_is_found_in_any_case_without_asking(catalogue: Catalogue, exchange: Exchange) -> None:
    directory: Directory = catalogue
    await catalogue.load()
    exchange.asked.clear()
    assert (await directory.resolve("btc-perpetual")).kind is Kind.PERPETUAL
    assert (await directory.resolve("BTC_USD")).name == "btc_usd"
    assert (await directory.resolve("BTC_USDC")).kind is Kind.SPOT
    assert (await directory.resolve("btc_usdc")).kind is Kind.INDEX
    assert directory.known("ETH_usd") is not None
    assert directory.known("nope") is None
    assert not exchange.asked
    assert (len(catalogue), len(catalogue.all()), catalogue.is_loaded) == (6, 6, True)


async def test_before_everything_is_known_names_that_differ_in_case_stay_apart(catalogue: Catalogue) -> None:
    """Promise: who asks for the pair `BTC_USDC` while the gateway starts never gets prices of the index `btc_usdc`."""
    names = ("btc_usdc", "BTC_USDC", "Btc_usdc", "btc-perpetual")
    found = [each for pair in (names[:2], names[2:]) for each in await asyncio.gather(*map(catalogue.resolve, pair))]
    assert not catalogue.is_loaded
    expected = [("btc_usdc", Kind.INDEX), ("BTC_USDC", Kind.SPOT), ("btc_usdc", Kind.INDEX),
                ("BTC-PERPETUAL", Kind.PERPETUAL)]  # fmt: skip
    assert [(each.name, each.kind) for each in found] == expected
    assert [(await catalogue.resolve(name)).name for name in names] == [name for name, _ in expected]


async def test_an_instrument_listed_since_is_found_by_asking_once(catalogue: Catalogue, exchange: Exchange) -> None:
    await catalogue.load()
    assert (await catalogue.resolve("xrp_usdc-30jun26-0D625-c")).name == LATER["instrument_name"]
    exchange.asked.clear()
    assert (await catalogue.resolve("XRP_USDC-30JUN26-0d625-C")).kind is Kind.OPTION
    assert not exchange.asked


async def test_an_index_listed_since_is_found_too(catalogue: Catalogue, exchange: Exchange) -> None:
    await catalogue.load()
    exchange.indices.append("sol_usdc")
    assert (await catalogue.resolve("SOL_USDC")).kind is Kind.INDEX


async def test_an_unknown_ticker_is_told_with_the_nearest_and_remembered_for_a_while(
    catalogue: Catalogue, exchange: Exchange, time: Time
) -> None:
    await catalogue.load()
    exchange.asked.clear()
    for _ in range(3):
        with pytest.raises(UnknownTicker) as unknown:
            await catalogue.resolve("BTC-PERPETUALS")
        assert unknown.value.nearest[0] == "BTC-PERPETUAL"
    assert exchange.asked == ["BTC-PERPETUALS"]
    time.now_s = 60.0
    with pytest.raises(UnknownTicker):
        await catalogue.resolve("BTC-PERPETUALS")
    assert len(exchange.asked) == 2


async def test_who_has_typed_no_name_did_not_mean_one(catalogue: Catalogue) -> None:
    """Promise: an empty name, and one that is like no other, are told without suggestions."""
    await catalogue.load()
    for name, sentence in (("", "A ticker's name can't be empty."), ("zzz", "There is no ticker 'zzz'.")):
        with pytest.raises(UnknownTicker) as unknown:
            await catalogue.resolve(name)
        assert (unknown.value.detail, unknown.value.nearest) == (sentence, ())


async def test_what_can_be_no_name_is_never_asked_for(catalogue: Catalogue, exchange: Exchange) -> None:
    for name in ("", "a b", "x" * 65, "../../etc/passwd", "btc_usd\r\n", "ж_usd"):
        with pytest.raises(UnknownTicker):
            await catalogue.resolve(name)
    assert not exchange.asked


async def test_many_who_miss_the_same_name_ask_once(catalogue: Catalogue, exchange: Exchange) -> None:
    asked = [catalogue.resolve(LATER["instrument_name"].swapcase()) for _ in range(50)]
    instruments = await asyncio.gather(*asked)
    assert {instrument.name for instrument in instruments} == {LATER["instrument_name"]}
    assert exchange.asked.count(LATER["instrument_name"]) == 1


async def test_one_who_leaves_does_not_take_the_others_answer_away(catalogue: Catalogue, exchange: Exchange) -> None:
    opened = asyncio.Event()
    exchange.gate = opened.wait
    first = asyncio.create_task(catalogue.resolve("BTC-PERPETUAL"))
    second = asyncio.create_task(catalogue.resolve("BTC-PERPETUAL"))
    await eventually(lambda: len(exchange.asked) == 1)
    first.cancel()
    await asyncio.wait([first])
    opened.set()
    assert (await second).name == "BTC-PERPETUAL"


async def test_only_so_many_unknown_names_are_asked_for_at_once(catalogue: Catalogue, exchange: Exchange) -> None:
    opened = asyncio.Event()
    exchange.gate = opened.wait
    waiting = [asyncio.create_task(catalogue.resolve(f"NOPE-{number}")) for number in range(2)]
    await eventually(lambda: len(exchange.asked) == 2)
    with pytest.raises(ExchangeUnavailable, match="Too many"):
        await catalogue.resolve("NOPE-3")
    opened.set()
    await asyncio.wait(waiting)
    assert all(isinstance(task.exception(), UnknownTicker) for task in waiting)


async def test_the_memory_of_what_does_not_exist_is_bounded(catalogue: Catalogue, exchange: Exchange) -> None:
    for number in range(4):
        with pytest.raises(UnknownTicker):
            await catalogue.resolve(f"NOPE-{number}")
    exchange.asked.clear()
    for number in (3, 2, 1, 0):
        with pytest.raises(UnknownTicker):
            await catalogue.resolve(f"NOPE-{number}")
    assert exchange.asked == ["NOPE-0"]


async def test_while_the_exchange_is_away_the_known_is_found_and_the_rest_can_not_be_told(
    catalogue: Catalogue, exchange: Exchange
) -> None:
    await catalogue.load()
    for trouble in (ExchangeUnavailable("away"), failure_of(11051, "system_maintenance", "m")):
        exchange.trouble = trouble
        assert (await catalogue.resolve("btc_usd")).kind is Kind.INDEX
        with pytest.raises(ExchangeUnavailable):
            await catalogue.resolve("ETH-PERPETUAL")
    exchange.trouble = None
    with pytest.raises(UnknownTicker):
        await catalogue.resolve("ETH-PERPETUAL")


async def test_a_refusal_that_says_nothing_of_the_name_is_not_taken_for_its_absence(
    catalogue: Catalogue, exchange: Exchange
) -> None:
    exchange.trouble = failure_of(12005, "country_is_banned", "public/get_instrument")
    with pytest.raises(ExchangeUnavailable):
        await catalogue.resolve("BTC-PERPETUAL")


async def test_what_the_exchange_has_refused_is_forgotten_for_a_while(
    catalogue: Catalogue, exchange: Exchange, time: Time
) -> None:
    await catalogue.load()
    catalogue.forget("BTC-PERPETUAL")
    assert catalogue.known("BTC-PERPETUAL") is None
    with pytest.raises(UnknownTicker):
        await catalogue.resolve("BTC-PERPETUAL")
    time.now_s = 61.0
    assert (await catalogue.resolve("BTC-PERPETUAL")).kind is Kind.PERPETUAL


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110  # it changes within some turns of the loop
            await asyncio.sleep(0)  # sleep: one turn of the loop, under a deadline


async def test_a_start_without_the_exchange_is_made_good_later(catalogue: Catalogue, exchange: Exchange) -> None:
    exchange.trouble = ExchangeUnavailable("away")
    run = asyncio.create_task(catalogue.run(retry_s=0.001))
    await eventually(lambda: len(exchange.asked) >= 3)
    with pytest.raises(ExchangeUnavailable):
        await catalogue.resolve("btc_usd")
    exchange.trouble = None
    await eventually(lambda: catalogue.is_loaded)
    assert catalogue.known("btc_usd") is not None
    run.cancel()
    await asyncio.wait([run])


async def test_an_exchange_that_stays_away_is_told_of_once(catalogue: Catalogue, exchange: Exchange) -> None:
    """Promise: hours without the exchange do not fill the log; another reason, and another absence, is told."""
    with capture_logs() as lines:
        exchange.trouble = ExchangeUnavailable("away")
        run = asyncio.create_task(catalogue.run(refresh_s=0.001, retry_s=0.001))
        await eventually(lambda: len(exchange.asked) >= 5)
        exchange.trouble = ExchangeUnavailable("busy")
        await eventually(lambda: len(lines) == 2)
        exchange.trouble = None
        await eventually(lambda: catalogue.is_loaded)
        exchange.trouble = ExchangeUnavailable("busy")
        await eventually(lambda: lines[-1]["log_level"] == "warning")
        run.cancel()
        await asyncio.wait([run])
    assert [line["reason"] for line in lines if line["log_level"] == "warning"] == ["away", "busy", "busy"]


async def test_closing_ends_every_look_up(catalogue: Catalogue, exchange: Exchange) -> None:
    run = asyncio.create_task(catalogue.run())
    await eventually(lambda: catalogue.is_loaded)
    exchange.gate = asyncio.Event().wait
    asking = asyncio.create_task(catalogue.resolve("NOPE-1"))
    await eventually(lambda: exchange.asked[-1] == "NOPE-1")
    run.cancel()
    await asyncio.wait([run, asking])
    assert asking.cancelled()


async def test_a_refresh_lets_the_expired_go(catalogue: Catalogue, exchange: Exchange) -> None:
    await catalogue.load()
    exchange.rows = exchange.rows[:2]
    await catalogue.load()
    assert catalogue.known("BTC-27DEC26-50000-C") is None


async def test_the_catalogue_of_a_running_exchange() -> None:
    async with (
        running(SimulatorOptions(port=0)) as simulator,
        running_pool(options_for(simulator), Ears()) as pool,
    ):
        catalogue = Catalogue(pool, clock=Clock.system())
        await catalogue.load()
        assert {instrument.kind for instrument in catalogue.all()} == set(Kind)
        assert (await catalogue.resolve("eth-perpetual")).name == "ETH-PERPETUAL"
        with pytest.raises(UnknownTicker) as unknown:
            await catalogue.resolve("ETH-PERPETUAL2")
        assert unknown.value.nearest[0] == "ETH-PERPETUAL"


async def test_the_exchange_says_that_an_instrument_is_in_another_state(catalogue: Catalogue) -> None:
    """Promise: what is halted or expired is known to be so at once; words that say nothing of it change nothing."""
    await catalogue.load()
    for state, is_active in (("halted", False), ("created", False), ("open", True), ("delivered", False)):
        catalogue.restate("BTC-PERPETUAL", state)
        known = catalogue.known("btc-perpetual")
        assert known is not None
        assert (known.state, known.is_active, known.kind) == (state, is_active, Kind.PERPETUAL)


async def test_what_is_listed_is_loaded_soon(catalogue: Catalogue, exchange: Exchange) -> None:
    """Promise: the catalogue does not wait an hour for an instrument of which the exchange tells now."""
    run = asyncio.create_task(catalogue.run(gather_s=0.001))
    await eventually(lambda: catalogue.is_loaded)
    exchange.rows.append(LATER)
    catalogue.restate("XRP_USDC-30JUN26-0d625-C", "created")
    await eventually(lambda: catalogue.known("XRP_USDC-30JUN26-0d625-C") is not None)
    run.cancel()
    await asyncio.wait([run])


async def test_what_is_told_during_a_load_is_not_undone_by_it(catalogue: Catalogue, exchange: Exchange) -> None:
    """Promise: a list that was written before a change does not bring the old state back."""
    await catalogue.load()

    async def tell() -> None:
        catalogue.restate("BTC-PERPETUAL", "halted")

    exchange.gate = tell
    await catalogue.load()
    known = catalogue.known("BTC-PERPETUAL")
    assert known is not None
    assert (known.state, known.is_active) == ("halted", False)


async def test_what_did_not_exist_a_moment_ago_may_exist_now(catalogue: Catalogue, exchange: Exchange) -> None:
    """Promise: who asks for an instrument that the exchange has just told of is not answered from memory."""
    await catalogue.load()
    with pytest.raises(UnknownTicker):
        await catalogue.resolve("SOL-27DEC26")
    exchange.rows.append({"instrument_name": "SOL-27DEC26", "kind": "future"})
    assert catalogue.restate("SOL-27DEC26", "created") is False
    assert (await catalogue.resolve("SOL-27DEC26")).name == "SOL-27DEC26"
    assert catalogue.restate("SOL-27DEC26", "open") is True
