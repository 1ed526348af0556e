"""What there must be of periods that were run: each said once, run once, and stored as the exchange told it."""

import asyncio
import re
from datetime import datetime
from decimal import Decimal

from __tests__.journeys.gateway import exact
from __tests__.journeys.monitor import Monitor
from __tests__.journeys.places import said
from __tests__.journeys.scaled import Deployment
from __tests__.journeys.witness import comes_true
from __tests__.journeys.working import PERIOD_S, Helper, collected, runs
from cryptomarket.jobs.runs import RunState
from cryptomarket.schedule import SHORTEST_EXPIRY_S

PERIOD_MS = 1000 * PERIOD_S


def replies(built: Deployment) -> dict[tuple[str, int], list[Decimal]]:
    """What the exchange has answered of an index, by the millisecond of `usOut`."""
    found: dict[tuple[str, int], list[Decimal]] = {}
    for answer in built.simulator.exchange.journal.answered("public/get_index_price"):
        reply = exact(answer.frame.decode())
        place = str(answer.params["index_name"]), reply["usOut"] // 1000
        found.setdefault(place, []).append(Decimal(reply["result"]["index_price"]))
    return found


def check_rows(built: Deployment) -> None:
    """One row of both tickers for each period that was run: the exchange's reply of that moment to the digit, at the
    time that the reply names; and what the runs have told is there.
    """
    rows = collected(built)
    ended = [run for run in runs(built, "collect_index_prices") if run["state"] == RunState.SUCCEEDED]
    told = [one for run in ended for one in exact(run["result"])["stored"].items()]
    by_runs = {(ticker, stored["timestamp"], stored["price"]) for ticker, stored in told}
    assert by_runs <= {(row["ticker"], row["timestamp_ms"], row["price"]) for row in rows}
    marks = built.postgres.sql("SELECT ticker || ' ' || scheduled_ms FROM crypto.collected", built.database).split("\n")
    done = [mark for mark in marks if mark]
    assert len(done) == len(rows), "a row without its period, or the other way round"
    assert set(done) >= {f"{ticker} {run['scheduled_ms']}" for ticker in ("btc_usd", "eth_usd") for run in ended}
    answered = replies(built)
    for row in rows:
        prices = answered[row["ticker"], row["timestamp_ms"]]
        assert row["price"] in prices
        assert f"{row['price']:f}" in {f"{price:f}" for price in prices}, "the same number in other digits"


def left_out(worker: Helper, job: str) -> dict[int, float]:
    """The periods of a job that a worker has not begun, and when it has taken them, in milliseconds."""
    found = {}
    for line in worker.said().splitlines():
        if match := re.search(rf"Task {job}\[{job}-(\d+)\] succeeded in .*: 'nothing to do'", line):
            found[int(match[1])] = datetime.fromisoformat(exact(line)["timestamp"]).timestamp() * 1000
    return found


async def check_periods(built: Deployment, heard: Monitor, worker: Helper, job: str, *, away_ms: range) -> None:
    """Each period of a job was said once, and has one run, begun once. None is left out, but for those that began while
    nobody kept the time, and those that the worker has taken when it was too late to begin them.
    """
    slots = said(heard, job)
    assert slots == sorted(set(slots)), "a period was said twice, or late"
    missing = set(range(slots[0], slots[-1], PERIOD_MS)) - set(slots)
    assert missing <= set(away_ms), f"left out: {sorted(missing)}, beside {away_ms}"
    at_ms: list[int] = []
    too_late: dict[int, float] = {}

    async def all_are_over() -> bool:
        nonlocal at_ms, too_late
        found = [run for run in await asyncio.to_thread(runs, built, job) if run["cause"] == "schedule"]
        at_ms = [run["scheduled_ms"] for run in found if run["finished_ms"] and run["scheduled_ms"] <= slots[-1]]
        too_late = {slot_ms: taken_ms for slot_ms, taken_ms in left_out(worker, job).items() if slot_ms <= slots[-1]}
        assert {run["attempts"] for run in found} == {1}
        return len(at_ms) + len(too_late) >= len(slots)

    await comes_true(all_are_over, within_s=60)
    assert sorted([*at_ms, *too_late]) == slots
    assert all(taken_ms - slot_ms > 1000 * SHORTEST_EXPIRY_S for slot_ms, taken_ms in too_late.items()), too_late
