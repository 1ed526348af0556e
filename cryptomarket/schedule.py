"""The one table of jobs: where each waits for a worker, how long it may wait and take, and how often it is tried again.

It is kept by Celery's beat where there are workers, and inside the process where there is one. How often each is due is
a setting, named like the job.
"""

from collections.abc import Mapping
from dataclasses import replace

from cryptomarket.jobs.arguments import Checking, OfTickers, Removing, Repairing
from cryptomarket.jobs.job import Job, Queue

_MINUTE_S = 60.0
_HOUR_S = 3600.0
SHORTEST_EXPIRY_S = 5.0

TABLE = (
    Job(
        "collect_index_prices",
        "Asks the exchange for the prices of indices, and stores them beside the stream.",
        period_s=60,
        queue=Queue.HIGH,
        expiry_s=60,
        limit_s=30,
        beside_itself=True,
        arguments=OfTickers,
    ),
    Job(
        "collect_tickers",
        "Asks for every wanted ticker whose live feed is not live, so that history has no hole meanwhile.",
        period_s=45,
        queue=Queue.HIGH,
        expiry_s=45,
        limit_s=40,
        arguments=OfTickers,
    ),
    Job(
        "refresh_latest",
        "Gives the bus the last stored tick of every wanted ticker of which it has none.",
        period_s=50,
        queue=Queue.DEFAULT,
        expiry_s=50,
        limit_s=30,
    ),
    Job(
        "flush_persons",
        "Writes the persons in the cache to the database, at midnight UTC.",
        period_s=24 * _HOUR_S,
        queue=Queue.DEFAULT,
        expiry_s=_HOUR_S,
        limit_s=2 * _MINUTE_S,
    ),
    Job(
        "check_health",
        "Asks exchange, bus, database and writer how they are; keeps the answer.",
        period_s=5 * _MINUTE_S,
        queue=Queue.HIGH,
        expiry_s=2 * _MINUTE_S,
        limit_s=30,
        retries=0,
        beside_itself=True,
    ),
    Job(
        "remove_old_ticks",
        "Removes what is older than the retention, by whole months where the database is divided by months.",
        period_s=_HOUR_S,
        queue=Queue.LOW,
        expiry_s=30 * _MINUTE_S,
        limit_s=2 * _MINUTE_S,
        arguments=Removing,
    ),
    Job(
        "make_partitions",
        "Makes the months to come where the database is divided by months.",
        period_s=6 * _HOUR_S,
        queue=Queue.LOW,
        expiry_s=_HOUR_S,
        limit_s=_MINUTE_S,
    ),
    Job(
        "finalise_candles",
        "Keeps the closed minutes as candles, which outlive their ticks.",
        period_s=5 * _MINUTE_S,
        queue=Queue.LOW,
        expiry_s=5 * _MINUTE_S,
        limit_s=2 * _MINUTE_S,
        arguments=OfTickers,
    ),
    Job(
        "check_candles",
        "Compares closed candles with the exchange's own, and tells where they differ.",
        period_s=_HOUR_S,
        queue=Queue.LOW,
        expiry_s=30 * _MINUTE_S,
        limit_s=2 * _MINUTE_S,
        arguments=Checking,
    ),
    Job(
        "refresh_catalogue",
        "Asks the exchange which instruments there are, and tells every process to look again.",
        period_s=_HOUR_S,
        queue=Queue.DEFAULT,
        expiry_s=30 * _MINUTE_S,
        limit_s=_MINUTE_S,
    ),
    Job(
        "repair_gaps",
        "Asks the exchange's history for the trades of recorded gaps, and stores them beside the stream.",
        period_s=10 * _MINUTE_S,
        queue=Queue.LOW,
        expiry_s=10 * _MINUTE_S,
        limit_s=2 * _MINUTE_S,
        arguments=Repairing,
    ),
)
"""Periods here are the defaults of the settings."""

DEFAULT_PERIODS_S = {job.name: job.period_s for job in TABLE}


def jobs_of(periods_s: Mapping[str, float], *, limit_s: float, grace_s: float) -> dict[str, Job]:
    """The table with these periods, in which no job takes longer than `limit_s`, nor than `grace_s` to end. What is due
    more often than it waits by default waits no longer than its period: the next one is better.
    """
    found = {}
    for job in TABLE:
        period_s = periods_s.get(job.name, job.period_s)
        expiry_s = job.expiry_s if period_s == 0 else min(job.expiry_s, max(SHORTEST_EXPIRY_S, period_s))
        limited = replace(job, limit_s=min(job.limit_s, limit_s), grace_s=grace_s)
        found[job.name] = replace(limited, period_s=period_s, expiry_s=expiry_s)
    return found
