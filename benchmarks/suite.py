"""All benchmarks, how long each of them runs, and what they found, as it is kept."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import msgspec

from benchmarks.capacity import Fullness, capacity
from benchmarks.deployment import Form
from benchmarks.fanout import PRODUCT, Load, Round, fanout
from benchmarks.following import Followed, following
from benchmarks.history import Questions, Told, history
from benchmarks.ingest import Flood, ingest
from benchmarks.jobs import Company, jobs
from benchmarks.latency import Delay, latency
from benchmarks.machine import Machine
from benchmarks.rest import Rest, rest
from benchmarks.resume import Storm, resume
from benchmarks.slow_readers import Half, slow_readers

NAMES = ("fanout", "full", "latency", "ingest", "following", "resume", "slow", "capacity", "rest", "history", "jobs")


class Scale(msgspec.Struct, frozen=True, kw_only=True):
    """How much is measured, and how long."""

    fanout: tuple[Load, ...]
    full: Load
    latency_rounds: int
    latency_window_s: float
    ingest_rates: tuple[float, ...]
    ingest_window_s: float
    ingest_rounds: int
    following_rates: tuple[float, ...]
    resume_streams: int
    resume_rounds: int
    slow_streams: int
    slow_rounds: int
    slow_window_s: float
    capacity_streams: int
    capacity_window_s: float
    rest_settle_s: float
    history: Questions


WHOLE = Scale(
    fanout=(
        Load(streams=500, rate=50, rounds=3, window_s=2, warm_s=0.5),
        Load(streams=1000, rate=50, rounds=5, window_s=3, warm_s=1),
        # What is done for a tick whoever listens, and with no tick at all, weighs less here.
        Load(streams=1000, rate=100, rounds=5, window_s=3, warm_s=1, has_naive=False),
    ),
    full=Load(streams=1000, rate=1000, rounds=3, window_s=4, warm_s=2),
    latency_rounds=5,
    latency_window_s=4,
    ingest_rates=(5000, 10_000, 20_000),
    ingest_window_s=3,
    ingest_rounds=3,
    following_rates=(1000, 5000, 10_000),
    resume_streams=1000,
    resume_rounds=2,
    slow_streams=200,
    slow_rounds=5,
    slow_window_s=4,
    capacity_streams=10_000,
    capacity_window_s=5,
    rest_settle_s=10,
    history=Questions(
        rows=10_000_000,
        rate=14,
        paced_s=20,
        saturated_s=4,
        rounds=3,
        bulk_rows=(100_000, 2_500_000),
        rival_rows=100_000,
    ),
)
QUICK = Scale(
    fanout=(Load(streams=100, rate=50, rounds=1, window_s=1, warm_s=0.3),),
    full=Load(streams=100, rate=1000, rounds=1, window_s=1, warm_s=0.3),
    latency_rounds=1,
    latency_window_s=1,
    ingest_rates=(5000,),
    ingest_window_s=2,
    ingest_rounds=1,
    following_rates=(1000,),
    resume_streams=200,
    resume_rounds=1,
    slow_streams=40,
    slow_rounds=1,
    slow_window_s=2,
    capacity_streams=500,
    capacity_window_s=1,
    rest_settle_s=1,
    history=Questions(
        rows=400_000, rate=14, paced_s=2, saturated_s=1, rounds=1, bulk_rows=(10_000, 100_000), rival_rows=20_000
    ),
)


class Fanned(msgspec.Struct, frozen=True):
    """The rounds of each contender under one load."""

    load: Load
    rounds: dict[str, list[Round]]


class Results(msgspec.Struct, kw_only=True):
    """One run: when, on what, of which form of the product, and every round of it. What was not run is absent."""

    date: str
    machine: Machine
    form: str
    quick: bool
    took_s: float = 0.0
    fanout: list[Fanned] | None = None
    full: Fanned | None = None
    latency: list[Delay] | None = None
    jobs: list[Company] | None = None
    ingest: list[Flood] | None = None
    following: list[Followed] | None = None
    resume: list[Storm] | None = None
    slow: list[Half] | None = None
    capacity: Fullness | None = None
    rest: list[Rest] | None = None
    history: Told | None = None


_PARTS = frozenset(Results.__struct_fields__) - {"date", "machine", "form", "quick", "took_s"}


def newest_parts(runs: Sequence[Results]) -> list[Results]:
    """The same runs, each without the parts that a later one has."""
    newest, later = [], dict[str, None]()
    for results in reversed(runs):
        newest.append(msgspec.structs.replace(results, **later))
        later |= {name: None for name in _PARTS if getattr(results, name) is not None}
    return newest[::-1]


def run(
    results: Results, names: Collection[str], scale: Scale, form: Form, folder: Path, tell: Callable[[str], None]
) -> None:
    """Runs what is named, one after the other, each in a folder of its own. What is found is put into `results`."""
    _about_feeds(results, names, scale, form, folder, tell)
    _about_readers(results, names, scale, form, folder, tell)
    if "rest" in names:
        results.rest = rest(_own(folder, "rest"), form, settle_s=scale.rest_settle_s, tell=tell)
    if "history" in names:
        results.history = history(_own(folder, "history"), form, scale.history, tell)


def _own(folder: Path, name: str) -> Path:
    made = folder / name
    made.mkdir()
    return made


def _about_feeds(
    results: Results, names: Collection[str], scale: Scale, form: Form, folder: Path, tell: Callable[[str], None]
) -> None:
    if "fanout" in names:
        results.fanout = [
            Fanned(load, fanout(_own(folder, f"fanout-{load.streams}-{load.rate:g}"), load, form, tell))
            for load in scale.fanout
        ]
    if "full" in names:
        results.full = Fanned(scale.full, fanout(_own(folder, "full"), scale.full, form, tell, only=PRODUCT))
    if "jobs" in names:
        results.jobs = jobs(
            _own(folder, "jobs"), form, rounds=scale.latency_rounds, window_s=scale.latency_window_s, tell=tell
        )
    if "latency" in names:
        results.latency = latency(
            _own(folder, "latency"),
            form,
            streams=100,
            rate=100,
            rounds=scale.latency_rounds,
            window_s=scale.latency_window_s,
            tell=tell,
        )
    if "ingest" in names:
        results.ingest = ingest(
            _own(folder, "ingest"),
            form,
            scale.ingest_rates,
            warm_s=1.0,
            window_s=scale.ingest_window_s,
            rounds=scale.ingest_rounds,
            tell=tell,
        )
    if "following" in names:
        results.following = following(
            _own(folder, "following"),
            form,
            scale.following_rates,
            window_s=scale.ingest_window_s,
            rounds=scale.ingest_rounds,
            tell=tell,
        )


def _about_readers(
    results: Results, names: Collection[str], scale: Scale, form: Form, folder: Path, tell: Callable[[str], None]
) -> None:
    if "resume" in names:
        results.resume = resume(
            _own(folder, "resume"),
            form,
            streams=scale.resume_streams,
            rate=200,
            aways_s=(0.0, 3.0),
            rounds=scale.resume_rounds,
            tell=tell,
        )
    if "slow" in names:
        results.slow = slow_readers(
            _own(folder, "slow"),
            form,
            streams=scale.slow_streams,
            rate=50,
            percent=5,
            rounds=scale.slow_rounds,
            window_s=scale.slow_window_s,
            tell=tell,
        )
    if "capacity" in names:
        results.capacity = capacity(
            _own(folder, "capacity"),
            form,
            streams=scale.capacity_streams,
            rate=50,
            window_s=scale.capacity_window_s,
            tell=tell,
        )
