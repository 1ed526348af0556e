"""Every scripted fault of the exchange under a running stream: the stream never lies, and recovers by itself."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from __tests__.journeys.gateway import Reader, reading
from __tests__.journeys.witness import Scene, check_everything, comes_true, hears, moves_on, scene, words_of
from cryptomarket.simulator.faults import Fault

pytestmark = pytest.mark.asyncio(loop_scope="module")

INDEX, OTHER_INDEX, INSTRUMENT = TICKERS = ("btc_usd", "eth_usd", "BTC-PERPETUAL")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Scene, str]]:
    """One simulator and one gateway for all faults, one after the other, and a token."""
    async with scene(tmp_path_factory.mktemp("faults")) as running:
        token, _ = await running.gate.login()
        yield running, token


@dataclass(frozen=True)
class Trouble:
    """Faults, what the stream tells while they are on (by ticker), and what it tells once they are over. `shuts` says
    that they end every connection and let none in: they last until the exchange has gone on without us.
    """

    name: str
    faults: tuple[Fault, ...]
    during: dict[str, tuple[str, ...]]
    after: dict[str, tuple[str, ...]]
    untouched: tuple[str, ...] = ()
    shuts: bool = False


def everywhere(*story: str) -> dict[str, tuple[str, ...]]:
    """The same story of every ticker."""
    return dict.fromkeys(TICKERS, story)


HEARD_AGAIN = ("live", "tick")
AWAY = Fault(kind="refuse_connections")
TROUBLES = [
    Trouble(
        "cut", (Fault(kind="drop"), AWAY), everywhere("down"), everywhere("gap:disconnect", *HEARD_AGAIN), shuts=True
    ),
    Trouble(
        "closed",
        (Fault(kind="drop", close_code=1001), AWAY),
        everywhere("down"),
        everywhere("gap:disconnect", *HEARD_AGAIN),
        shuts=True,
    ),
    Trouble("stall", (Fault(kind="stall"),), {INDEX: ("stale",), OTHER_INDEX: ("stale",)}, everywhere("tick")),
    Trouble(
        "silent indices",
        (Fault(kind="silence", channels=("deribit_price_index.*",)),),
        {INDEX: ("stale",), OTHER_INDEX: ("stale",)},
        dict.fromkeys((INDEX, OTHER_INDEX), ("gap:silence", *HEARD_AGAIN)),
        untouched=(INSTRUMENT,),
    ),
    Trouble(
        "silent instruments",
        (Fault(kind="silence", channels=("ticker.*",)),),
        {INSTRUMENT: ("stale",)},
        {INSTRUMENT: ("gap:silence", *HEARD_AGAIN)},
        untouched=(INDEX, OTHER_INDEX),
    ),
    Trouble("duplicate", (Fault(kind="duplicate"),), everywhere(*["tick"] * 8), {}, untouched=TICKERS),
    Trouble("reorder", (Fault(kind="reorder"),), everywhere(*["tick"] * 8), {}),
    Trouble(
        "broken text",
        (Fault(kind="malformed", shape="json", channels=("deribit_price_index.btc_usd",)),),
        {INDEX: ("stale",)},
        {INDEX: ("gap:malformed", *HEARD_AGAIN)},
    ),
    Trouble(
        "bytes",
        (Fault(kind="malformed", shape="binary", channels=("deribit_price_index.btc_usd",)),),
        {INDEX: ("stale",)},
        {INDEX: ("gap:malformed", *HEARD_AGAIN)},
    ),
    Trouble(
        "prices as text",
        (Fault(kind="malformed", shape="type"),),
        everywhere("stale"),
        everywhere("gap:malformed", *HEARD_AGAIN),
    ),
    Trouble(
        "broken protocol",
        (Fault(kind="malformed", shape="frame", channels=("deribit_price_index.*",), count=3),),
        {INDEX: ("down", "gap:disconnect", *HEARD_AGAIN)},
        {},
    ),
    Trouble(
        "maintenance",
        (Fault(kind="maintenance", close_after_s=0.3),),
        everywhere("maintenance"),
        everywhere("gap:maintenance", *HEARD_AGAIN),
        shuts=True,
    ),
    Trouble("clock ahead", (Fault(kind="clock_skew", skew_ms=1500),), everywhere(*["tick"] * 5), everywhere("tick")),
    Trouble(
        "clock behind",
        (Fault(kind="clock_skew", skew_ms=-3000),),
        {INDEX: ("stale",)},
        {INDEX: ("gap:silence", "live")},
    ),
    Trouble(
        "locked index",
        (Fault(kind="lock_index", names=(INDEX,)),),
        {INDEX: ("halted",)},
        {INDEX: HEARD_AGAIN},
        untouched=(OTHER_INDEX, INSTRUMENT),
    ),
    Trouble(
        "halted instrument",
        (Fault(kind="instrument_state", names=(INSTRUMENT,)),),
        {INSTRUMENT: ("halted",)},
        {INSTRUMENT: HEARD_AGAIN},
        untouched=(INDEX, OTHER_INDEX),
    ),
]


async def all_live(reader: Reader) -> None:
    """Waits until every ticker's last status is `live` and ticks come."""
    since = len(reader.events)
    for ticker in TICKERS:
        await hears(reader, ticker, "tick", "tick", "tick", since=since)
        states = [word for word in words_of(reader, ticker, 0) if word != "tick" and not word.startswith("gap:")]
        assert not states or states[-1] == "live", f"{ticker} ticks, and is told {states[-1]}"


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.name.replace(" ", "_"))
async def test_the_stream_never_lies(stage: tuple[Scene, str], trouble: Trouble) -> None:
    """Promise: under this fault every tick is one that was sent, what was not heard is told as status and gap, and the
    stream goes on by itself; the store has the same.
    """
    running, token = stage
    async with reading(running.gate, token, tickers=",".join(TICKERS)) as reader:
        await all_live(reader)
        since = len(reader.events)
        running.simulator.add_faults(*trouble.faults)
        try:
            for ticker, story in trouble.during.items():
                await hears(reader, ticker, *story, since=since)
            if trouble.shuts:
                await comes_true(lambda: not running.simulator.exchange.connections)
                await moves_on(running.simulator, INSTRUMENT)
        finally:
            over = len(reader.events)
            running.simulator.clear_faults()
        for ticker, story in trouble.after.items():
            await hears(reader, ticker, *story, since=over)
        await all_live(reader)
        for ticker in trouble.untouched:
            assert set(words_of(reader, ticker, since)) == {"tick"}, "a fault of others touched this ticker"
        await check_everything(reader, running, token, TICKERS)
