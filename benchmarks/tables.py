"""What was found, as tables of Markdown: medians of the rounds, and in brackets between what they lay."""

from collections.abc import Iterable, Iterator, Sequence

from benchmarks.capacity import Fullness
from benchmarks.fanout import OWN_SETS, PRODUCT, Round
from benchmarks.figures import ratios, spelled, spread
from benchmarks.following import Followed
from benchmarks.history import Told
from benchmarks.ingest import Flood
from benchmarks.jobs import Company
from benchmarks.latency import Delay
from benchmarks.machine import Machine
from benchmarks.rest import Rest
from benchmarks.resume import Storm
from benchmarks.rivals.running import LIMIT
from benchmarks.slow_readers import Half
from benchmarks.suite import Fanned, Results

HOPS = {
    "timestamp": "from the exchange's own millisecond",
    "received_us": "from the gateway's reading of the frame",
    "published_us": "from the publication on the bus",
}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown, its columns as wide as their widest cell."""
    lines = [list(head), *[list(row) for row in rows]]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    written = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    ]
    written.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(written)


def _ms(values_us: Iterable[int]) -> str:
    return str(spread([value / 1000 for value in values_us]))


def _flaws(rounds: Sequence[Round | Delay | Half | Storm]) -> str:
    """Events lost or doubled, of all rounds."""
    return f"{sum(one.breaks for one in rounds)} / {sum(one.doubled for one in rounds)}"


def fanout_table(fanned: Fanned) -> str:
    """CPU of the server for each delivery, beside the limit in the same round."""
    rows = []
    product = [one.cpu_us for one in fanned.rounds[PRODUCT]]
    costs = {name: [one.cpu_us for one in rounds] for name, rounds in fanned.rounds.items()}
    for name in sorted(costs, key=lambda name: spread(costs[name]).middle):
        rounds = fanned.rounds[name]
        of_limit = str(spread(ratios(costs[name], costs[LIMIT]))) if LIMIT in costs else "–"
        rows.append(
            [
                name,
                str(spread(costs[name])),
                of_limit,
                str(spread(ratios(costs[name], product))),
                str(spread([one.core_share * 100 for one in rounds])),
                str(spread([one.deliveries / one.offered * 100 for one in rounds])),
                _ms(one.latency_us.p50 for one in rounds),
                _ms(one.latency_us.p99 for one in rounds),
                # Later rounds use again what the first one has left.
                "–" if name == OWN_SETS else spelled(rounds[0].kb_per_stream),
                _flaws(rounds),
                str(sum(one.unheard for one in rounds)),
            ]
        )
    head = [
        "server", "µs CPU / delivery", "× C", f"× {PRODUCT}", "core %", "delivered %", "p50 ms", "p99 ms",
        "KB RSS / stream", "lost / doubled", "unheard",
    ]  # fmt: skip
    return table(head, rows)


def jobs_table(found: Sequence[Company]) -> str:
    """How late a tick is without jobs, with every job each second, and with slow ones."""
    companies = {"no jobs": (False, False), "every job each second": (True, False), "slow jobs": (True, True)}
    rows = []
    for words, kind in companies.items():
        windows = [one for one in found if (one.with_jobs, one.slow) == kind]
        if windows:
            rows.append([words, _ms(one.p50_us for one in windows), _ms(one.p99_us for one in windows)])
    return table(["company", "p50, ms", "p99, ms"], rows)


def latency_table(delays: Sequence[Delay]) -> str:
    """How late, from each of the three times that an event carries."""
    rows = []
    for field, words in HOPS.items():
        found = [delay.latency_us[field] for delay in delays]
        rows.append(
            [
                words,
                _ms(one.p50 for one in found),
                _ms(one.p90 for one in found),
                _ms(one.p99 for one in found),
                _ms(one.p999 for one in found),
            ]
        )
    return table(["to the subscriber", "p50 ms", "p90 ms", "p99 ms", "p99.9 ms"], rows)


def ingest_table(floods: Sequence[Flood]) -> str:
    """What was taken in, and what a core could."""
    rows = []
    for rate in sorted({flood.asked_rate for flood in floods}):
        found = [flood for flood in floods if flood.asked_rate == rate]
        rows.append(
            [
                str(spread([one.sent_rate for one in found])),
                str(spread([one.stored_rate for one in found])),
                str(spread([one.core_share * 100 for one in found])),
                str(spread([one.cpu_us for one in found])),
                str(spread([1e6 / one.cpu_us for one in found])),
                str(spread([one.beside_share * 100 for one in found]))
                if any(one.beside_share for one in found)
                else "–",
                str(max(one.lag for one in found)),
                str(found[0].missing),
                "yes" if all(one.is_held for one in found) else "no",
            ]
        )
    head = [
        "sent / s", "stored / s", "core %", "µs CPU / tick", "ticks / s of a whole core", "servers' core %",
        "on the way", "never stored", "held",
    ]  # fmt: skip
    return table(head, rows)


def following_table(windows: Sequence[Followed]) -> str:
    """What the whole feed costs who follows it."""
    rows = []
    for rate in sorted({window.asked_rate for window in windows}):
        found = [window for window in windows if window.asked_rate == rate]
        rows.append(
            [
                str(spread([one.sent_rate for one in found])),
                str(spread([one.core_share * 100 for one in found])),
                str(spread([one.cpu_us for one in found])),
                str(spread([one.bus_share * 100 for one in found])),
                str(spread([100 * one.heard / one.due for one in found])),
                str(spread([one.p99_us / 1000 for one in found])),
            ]
        )
    return table(
        ["ticks / s", "follower's core %", "µs CPU / tick", "Redis' core %", "one reader heard %", "his p99 ms"], rows
    )


def resume_table(storms: Sequence[Storm]) -> str:
    """How soon each was complete again."""
    rows = []
    for away_s in sorted({storm.away_s for storm in storms}):
        found = [storm for storm in storms if storm.away_s == away_s]
        rows.append(
            [
                str(found[0].streams),
                spelled(away_s),
                str(spread([one.complete_us.p50 / 1e6 for one in found])),
                str(spread([one.complete_us.p99 / 1e6 for one in found])),
                str(spread([one.all_s for one in found])),
                str(sum(one.incomplete + one.refused for one in found)),
                _flaws(found),
            ]
        )
    return table(["clients", "away s", "p50 s", "p99 s", "the last s", "refused or incomplete", "lost / doubled"], rows)


def slow_ratios(halves: Sequence[Half]) -> list[float]:
    """p99 of those who read: with slow readers over without, round by round."""
    with_them = [one.latency_us.p99 for one in halves if one.slow_percent]
    without = [one.latency_us.p99 for one in halves if not one.slow_percent]
    return ratios(with_them, without)


def slow_table(halves: Sequence[Half]) -> str:
    """The others, with slow readers and without."""
    rows = []
    for share in sorted({half.slow_percent for half in halves}):
        found = [half for half in halves if half.slow_percent == share]
        rows.append(
            [
                spelled(share),
                _ms(one.latency_us.p50 for one in found),
                _ms(one.latency_us.p99 for one in found),
                str(spread(slow_ratios(halves))) if share else "1",
                str(spread([one.resident_mb for one in found])),
                str(spread([one.kernel_mb for one in found])),
                _flaws(found),
            ]
        )
    head = ["slow %", "p50 ms", "p99 ms", "p99 × without", "MB RSS more", "MB kernel more", "lost / doubled"]
    return table(head, rows)


def capacity_table(found: Fullness) -> str:
    """One process, full of streams."""
    row = [
        spelled(found.streams),
        spelled(found.kb_per_stream),
        spelled(found.kernel_kb_per_stream),
        spelled(found.open_s),
        spelled(found.opened_cpu_ms),
        spelled(found.deliveries_per_s),
        spelled(found.core_share * 100),
        spelled(found.latency_us.p50 / 1000),
        spelled(found.latency_us.p99 / 1000),
        f"{found.breaks} / {found.doubled}",
    ]
    head = [
        "streams", "KB RSS / stream", "KB kernel / stream", "all open after s", "ms CPU / opening", "deliveries / s",
        "core %", "p50 ms", "p99 ms", "lost / doubled",
    ]  # fmt: skip
    return table(head, [row])


def rest_table(found: Sequence[Rest]) -> str:
    """Each program, and all of them."""
    total = Rest("together", sum(one.resident_mb for one in found), sum(one.own_mb for one in found))
    rows = [[one.name, spelled(one.resident_mb), spelled(one.own_mb)] for one in [*found, total]]
    return table(["program", "MB RSS", "MB, shared pages by share"], rows)


def paces_table(told: Told) -> str:
    """Pages at an even pace."""
    rows = []
    for who in dict.fromkeys(pace.who for pace in told.paces):
        found = [pace.answered for pace in told.paces if pace.who == who]
        rows.append(
            [
                who,
                str(spread([one.mean_ms for one in found])),
                str(spread([one.p50_ms for one in found])),
                str(spread([one.p99_ms for one in found])),
                str(spread([one.max_ms for one in found])),
                str(sum(one.failed for one in found)),
            ]
        )
    return table(["who", "mean ms", "p50 ms", "p99 ms", "longest ms", "failed"], rows)


def fulls_table(told: Told) -> str:
    """As many pages as a core answers, from eight who wait for theirs."""
    rows = []
    for who in dict.fromkeys(full.who for full in told.fulls):
        found = [full for full in told.fulls if full.who == who]
        rows.append(
            [
                who,
                str(spread([one.per_s for one in found])),
                str(spread([one.core_share * 100 for one in found])),
                str(spread([one.per_s / max(one.core_share, 0.01) for one in found])),
                str(spread([one.beside_share * 100 for one in found])),
                str(spread([one.answered.p50_ms for one in found])),
                str(spread([one.answered.p99_ms for one in found])),
            ]
        )
    head = ["who", "answers / s", "core %", "answers / s of a whole core", "servers' core %", "p50 ms", "p99 ms"]
    return table(head, rows)


def bulks_table(told: Told) -> str:
    """Whole ranges in one answer."""
    rows = []
    for key in dict.fromkeys((bulk.who, bulk.form, bulk.rows) for bulk in told.bulks):
        found = [bulk for bulk in told.bulks if (bulk.who, bulk.form, bulk.rows) == key]
        rows.append(
            [
                f"{found[0].who.partition(',')[0]}: {found[0].form}",
                f"{found[0].rows:,}",
                str(spread([one.rows / one.took_s for one in found])),
                str(spread([one.mb / one.took_s for one in found])),
                str(spread([one.core_share * 100 for one in found])),
                str(spread([one.rows / one.took_s / max(one.core_share, 0.01) for one in found])),
                str(spread([one.beside_share * 100 for one in found])),
                spelled(max(one.peak_mb for one in found)),
            ]
        )
    head = [
        "answer", "rows", "rows / s", "MB / s", "core %", "rows / s of a whole core", "servers' core %",
        "MB RSS above rest, at most",
    ]  # fmt: skip
    return table(head, rows)


def machine_lines(machine: Machine) -> str:
    """What it ran on, in a sentence."""
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    return (
        f"{machine.cpu}, {machine.cores} cores, {machine.memory_mb} MB, Linux {machine.kernel}, "
        f"Python {machine.python}, at most {machine.open_files} open files; {versions}."
    )


def sections(results: Results) -> Iterator[tuple[str, str]]:
    """Heading and table of each part that was run."""
    for fanned in results.fanout or ():
        yield f"Fan-out: {fanned.load.streams} streams × {fanned.load.rate:g} events/s", fanout_table(fanned)
    if results.full is not None:
        load = results.full.load
        yield f"A full core: {load.streams} streams × {load.rate:g} events/s", fanout_table(results.full)
    if results.jobs:
        yield "A stream beside jobs", jobs_table(results.jobs)
    if results.latency:
        first = results.latency[0]
        yield f"Latency: {first.streams} streams × {first.rate:g} events/s", latency_table(results.latency)
    if results.ingest:
        yield "Ingest: exchange → order → database, one core", ingest_table(results.ingest)
    if results.following:
        yield (
            "Following: the whole feed, in a process that serves one reader of one ticker",
            following_table(results.following),
        )
    if results.resume:
        yield "Resume: a crowd that is cut off and comes back", resume_table(results.resume)
    if results.slow:
        yield f"Slow readers: {results.slow[0].streams} streams, events of 10 kB", slow_table(results.slow)
    if results.capacity is not None:
        yield "Streams in one process, each with 2 of 50 tickers", capacity_table(results.capacity)
    if results.rest:
        yield "Memory at rest, without PostgreSQL", rest_table(results.rest)
    if results.history is not None:
        told = results.history
        yield f"History: 1000 rows out of {told.rows:,}, 14 requests/s", paces_table(told)
        yield f"History: as many as one core answers, out of {told.rows:,}", fulls_table(told)
        yield "History: whole ranges in one answer", bulks_table(told)


def report(results: Results) -> str:
    """Everything, as it is printed and kept."""
    kind = "a quick look, no measurement" if results.quick else "medians of the rounds, (least–most)"
    took = f"{results.took_s:.0f} s" if results.took_s else "broken off"
    lines = [f"{results.date}, {results.form}, {took}; {kind}.", "", machine_lines(results.machine), ""]
    for heading, text in sections(results):
        lines += [f"### {heading}", "", text, ""]
    return "\n".join(lines)
