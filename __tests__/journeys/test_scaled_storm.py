"""Resume under everything at once: no stream loses, doubles or reorders anything, whoever dies on the way."""

import asyncio
import random
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from __tests__.journeys.commands import minted
from __tests__.journeys.scaled import Deployment, deployment, ready
from __tests__.journeys.storm import SECONDS, SEED, STREAMS, Customer, check_log, log_of
from __tests__.journeys.witness import BUSY
from __tests__.postgres_server import PostgresServer

TICKERS = (
    "btc_usd", "eth_usd", "sol_usdc", "xrp_usdc", "ada_usdc", "doge_usdc", "bnb_usdc", "ltc_usdc", "avax_usdc",
    "trx_usdc", "BTC-PERPETUAL", "ETH-PERPETUAL",
)  # fmt: skip
PERSONS = 20
# Ten indices twenty times a second, and two perpetuals at most ten times: some two hundred publications.
MARKET = replace(BUSY, index_period_s=0.05, activity={"BTC-PERPETUAL": 0.06, "ETH-PERPETUAL": 0.06})
PROCESSES = ("api1", "api2", "ingest1", "write1")


async def kill(built: Deployment) -> None:
    """One process is killed in the middle, and is back a while later."""
    await asyncio.sleep(SECONDS / 3)  # sleep: the storm is what is waited for
    await built["api2"].kill()
    await asyncio.sleep(SECONDS / 6)  # sleep: it is gone for so long
    await built["api2"].start()
    await asyncio.sleep(SECONDS / 2)  # sleep: the storm goes on


async def roll(built: Deployment) -> None:
    """Both processes are replaced, one after the other, as an update does it."""
    for name in ("api1", "api2"):
        await asyncio.sleep(SECONDS / 4)  # sleep: the storm is what is waited for
        await built[name].stop()
        await built[name].start()
        await ready(built[name])
    await asyncio.sleep(SECONDS / 4)  # sleep: the storm goes on


@pytest.mark.parametrize("trouble", [kill, roll])
async def test_nothing_is_lost_doubled_or_out_of_order(
    tmp_path: Path, postgres: PostgresServer, trouble: Callable[[Deployment], Awaitable[None]]
) -> None:
    """Promise: each customer, cut at random again and again, ends with everything about his tickers, once and in order,
    byte for byte what was published; and what was published is what the exchange has sent.
    """
    chance = random.Random(SEED)
    async with deployment(
        tmp_path, postgres, *PROCESSES, market=MARKET, always_tickers=",".join(TICKERS), stream_ring_events="500"
    ) as built:
        for name in ("api1", "api2"):
            # Its port stays when it comes back.
            await built[name].stop()
            built[name].settings = {**built[name].settings, "APP_PORT": built[name].url.rpartition(":")[2]}
            await built[name].start()
            await ready(built[name])
        people = await minted(built["api1"], PERSONS)
        gates = [built["api1"], built["api2"]]
        customers = [
            Customer(
                people[number % PERSONS][1],
                frozenset(chance.sample(TICKERS, chance.randint(1, 4))),
                random.Random(chance.random()),
            )
            for number in range(STREAMS)
        ]
        over = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for customer in customers:
                group.create_task(customer.weather(gates, over))
            await trouble(built)
            over.set()
        last_seq = built.head()
        async with asyncio.TaskGroup() as group:
            for number, customer in enumerate(customers):
                group.create_task(customer.hear_out(gates[number % 2], last_seq))
        log = log_of(built)
        heard = sum(customer.check(log, last_seq) for customer in customers)
        check_log(built, log, TICKERS)
        comings = sum(sum(customer.openings.values()) for customer in customers)
    told = f"{STREAMS} streams came {comings:,} times and heard {heard:,} events of {len(log):,} publications\n"
    # For the long form, whose figures are kept.
    sys.stdout.write(told)
    assert comings > 3 * STREAMS
    # Of 200 a second that the exchange has to say: a market that hardly moves is no storm. A thousand readers in one
    # process keep it from saying all of them.
    assert len(log) > (150 if STREAMS < 1000 else 100) * SECONDS
    assert heard > 10 * STREAMS * SECONDS
