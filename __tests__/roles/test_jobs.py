"""What the jobs do on the parts of a process, each with its result kept."""

import json
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import select

from __tests__.history.world import FENCE, index_tick
from __tests__.simulator.talk import NOW_US, Talk
from cryptomarket.backplane.bus import Outgoing
from cryptomarket.catalog.directory import Catalogue
from cryptomarket.clock import Clock
from cryptomarket.deribit.errors import failure_of
from cryptomarket.deribit.messages import Stamped
from cryptomarket.errors import UnknownTicker
from cryptomarket.foundation import Backplane, open_backplane, open_database
from cryptomarket.history.collection_repository import CollectionRepository, Errand
from cryptomarket.history.repository import Repository
from cryptomarket.history.tables import candles, collected, gaps, price_tickers, statuses
from cryptomarket.jobs.arguments import Arguments, Checking, OfTickers
from cryptomarket.jobs.job import Occasion
from cryptomarket.jobs.repository import RunRepository
from cryptomarket.market.ticks import FeedState, Gap, GapCause, Source, Status
from cryptomarket.market.wire import PublicationKind, encode
from cryptomarket.pulse import IngestPulse, Pulse, Pulses, SessionPulse, StorePulse
from cryptomarket.roles.jobs import Works, build_runner, build_works
from cryptomarket.roles.timetable import jobs_in
from cryptomarket.settings import Settings

NOW_MS = NOW_US // 1000
HEARING = IngestPulse(
    True, [SessionPulse(0, "data", "ready", NOW_MS, 2)], ["btc_usd"], ["btc_usd"], ["btc_usd"], [], 50_000, 0
)


TABLES = (price_tickers, candles, collected, gaps, statuses)


@dataclass
class Exchange:
    """The simulated one, asked without a socket. `asked` names what it was asked about."""

    talk: Talk = field(default_factory=Talk)
    asked: list[object] = field(default_factory=list)

    async def request(self, method: str, params: dict[str, object], *, timeout_s: float) -> bytes:
        """See Requester."""
        return (await self.stamped(method, params, timeout_s=timeout_s)).result

    async def stamped(self, method: str, params: dict[str, object], *, timeout_s: float) -> Stamped:
        """See StampedRequester."""
        assert timeout_s > 0
        self.asked += [params.get("index_name") or params.get("instrument_name")]
        reply = self.talk.ask(method, **params)
        if "error" in reply:
            error = reply["error"]
            raise failure_of(error["code"], error["message"], method, error.get("data", {}).get("reason", ""))
        return Stamped(json.dumps(reply["result"]).encode(), reply["usOut"])


@dataclass
class Company:
    """The jobs, and who else stands on their backplane."""

    settings: Settings
    backplane: Backplane
    works: Works
    runs: RunRepository
    exchange: Exchange

    async def run(self, name: str, at_ms: int = NOW_MS) -> dict[str, object]:
        """The result of a run, as it is kept."""
        job = jobs_in(self.settings)[name]
        runner = build_runner(self.settings, self.works)
        await runner.run(job, job.run_id(at_ms), Arguments(), scheduled_ms=at_ms)
        kept = await self.runs.one(job.run_id(at_ms))
        assert kept is not None
        assert kept.result is not None, kept
        found: dict[str, object] = json.loads(kept.result)
        return found

    async def beat(self, process: str, *pulses: Pulse) -> None:
        """Somebody tells how he is."""
        own = [lambda pulse=pulse: pulse for pulse in pulses]
        await Pulses(self.backplane.cache, process=process, beat_s=60, own=own).beat()

    async def says(self, ticker: str, state: FeedState) -> None:
        """The state of a ticker's feed is told."""
        await self.backplane.bus.publish(
            [Outgoing(PublicationKind.STATUS, ticker, encode(Status(ticker, state, NOW_MS)))], FENCE
        )


@pytest.fixture
async def company(tmp_path: Path) -> AsyncIterator[Company]:
    settings = Settings.model_validate({"data_dir": tmp_path, "always_tickers": "btc_usd,BTC-PERPETUAL"})
    clock = Clock(time.monotonic, lambda: NOW_MS * 1000)
    exchange = Exchange()
    async with open_database(settings) as database, open_backplane(settings, clock) as backplane:
        catalogue = Catalogue(exchange, clock=clock)
        assert await backplane.leases.acquire(FENCE.name, "whoever publishes", life_s=60) is not None
        works = build_works(settings, database, backplane, exchange, catalogue, clock, process="us")
        yield Company(settings, backplane, works, RunRepository(database), exchange)


@pytest.mark.parametrize(
    ("pulses", "is_ready", "detail"),
    [
        ([StorePulse(lag_ms=12)], True, "12 ms behind"),
        ([StorePulse(lag_ms=12), StorePulse(lag_ms=7000)], False, "7000 ms behind"),
        ([], False, "nobody stores"),
    ],
)
async def test_health_tells_how_far_writers_are_behind(
    company: Company, pulses: Sequence[StorePulse], is_ready: bool, detail: str
) -> None:
    """Promise: the lag of the writer that is furthest behind is in the result, which is kept; too much of it is not
    well, and neither is it when nobody stores at all.
    """
    await company.beat("ingest", HEARING)
    for at, pulse in enumerate(pulses):
        await company.beat(f"write{at}", pulse)
    told = await company.run("check_health")
    assert told == {
        "ready": is_ready,
        "parts": {
            "exchange": {"ready": True, "detail": "1 of 1 sessions"},
            "bus": {"ready": True, "detail": "answers"},
            "database": {"ready": True, "detail": "answers"},
            "writer": {"ready": is_ready, "detail": detail},
        },
    }


async def test_only_what_the_stream_does_not_tell_is_collected(company: Company) -> None:
    """Promise: a wanted ticker is collected while its feed is not live, once for each time, and not while it is."""
    await company.says("btc_usd", FeedState.LIVE)
    await company.says("BTC-PERPETUAL", FeedState.DOWN)
    told = await company.run("collect_tickers")
    assert list(told["stored"]) == ["BTC-PERPETUAL"]  # type: ignore[call-overload]
    assert "btc_usd" not in company.exchange.asked
    await company.says("BTC-PERPETUAL", FeedState.LIVE)
    assert await company.run("collect_tickers", NOW_MS + 45_000) == {"stored": {}, "refused": {}}


async def test_named_tickers_are_those_of_the_catalogue(company: Company) -> None:
    """Promise: minutes of named tickers are kept under the ticker's own name, whatever the case of what was said; one
    that nobody knows is told, and fails a run that names no other.
    """
    database = company.works.database
    past = [index_tick(NOW_MS - ago_ms) for ago_ms in (400_000, 340_000)]
    await CollectionRepository(database).keep(Errand("seed", "btc_usd", 0), past, Source.COLLECTED)
    named = OfTickers(tickers=["BTC_USD", "btc_usd", "nope"])
    told = await company.works.finalise_candles(named, Occasion(NOW_MS))
    refused = {"nope": "There is no ticker 'nope'."}
    assert told == {"tickers": 1, "minutes": 2, "refused": refused}
    with pytest.raises(UnknownTicker, match="There is no ticker 'nope'"):
        await company.works.finalise_candles(OfTickers(tickers=["nope"]), Occasion(NOW_MS))
    compared = await company.works.check_candles(Checking(tickers=["BTC_USD", "btc_usd"]), Occasion(NOW_MS))
    assert compared["indices"] == 1


async def test_every_job_may_be_run_twice(company: Company) -> None:
    """Promise: whatever a job does at a time, doing it again for that time changes no row of history; and those that
    store did store.
    """
    database = company.works.database
    kept = CollectionRepository(database)
    past = [index_tick(NOW_MS - ago_ms) for ago_ms in (400_000, 340_000, 310_000)]
    await kept.keep(Errand("seed", "btc_usd", 0), past, Source.COLLECTED)
    await Repository(database).keep_unpublished([Gap("BTC-PERPETUAL", NOW_MS, NOW_MS + 1000, GapCause.DISCONNECT)])

    async def rows() -> dict[str, list[tuple[object, ...]]]:
        async with database.read() as connection:
            return {
                table.name: sorted((tuple(row) for row in (await connection.execute(select(table))).all()), key=repr)
                for table in TABLES
            }

    before = await rows()
    for name, work in company.works.by_name().items():
        await work(jobs_in(company.settings)[name].arguments(), Occasion(NOW_MS))
        once = await rows()
        await work(jobs_in(company.settings)[name].arguments(), Occasion(NOW_MS, attempt=2))
        assert await rows() == once, f"{name} was run twice, and it shows"
    assert {name for name, found in (await rows()).items() if len(found) > len(before[name])} >= {
        "price_tickers", "candles", "collected"
    }  # fmt: skip
