"""What is printed of a run: every part that was measured, and nothing of what was not."""

from dataclasses import replace

import msgspec
import pytest

from benchmarks.crowd import Latency
from benchmarks.document import marks, with_report
from benchmarks.fanout import OWN_SETS, PRODUCT, Load, Round
from benchmarks.ingest import Flood
from benchmarks.jobs import Company
from benchmarks.machine import Machine, this_machine
from benchmarks.rivals.running import LIMIT
from benchmarks.slow_readers import Half
from benchmarks.suite import Fanned, Results, newest_parts
from benchmarks.tables import jobs_table, report, slow_ratios, table

LATE = Latency(count=10, p50=1000, p90=2000, p99=3000, p999=4000, max=5000)


def a_round(cpu_us: float) -> Round:
    """A window at such a cost."""
    return Round(
        cpu_us=cpu_us,
        deliveries=100,
        offered=100.0,
        core_share=0.5,
        crowd_core_share=0.1,
        kb_per_stream=20.0,
        latency_us=LATE,
        breaks=0,
        doubled=0,
        unheard=0,
    )


def a_run() -> Results:
    """A run of which only the fan-out was measured."""
    rounds = {
        PRODUCT: [a_round(8.0), a_round(16.0)],
        OWN_SETS: [a_round(9.0), a_round(18.0)],
        LIMIT: [a_round(4.0), a_round(16.0)],
    }
    load = Load(streams=100, rate=50, rounds=2, window_s=1, warm_s=1)
    machine = Machine("some cpu", 2, 1000, "6.1", "3.11.7", 20_000, {"gcc": "12.2"})
    return Results(
        date="2026-01-01 00:00 UTC", machine=machine, form="embedded", quick=False, fanout=[Fanned(load, rounds)]
    )


def half(percent: float, p99: int) -> Half:
    """A window with so many slow readers."""
    return Half(percent, 10, 100, 10, 10, msgspec.structs.replace(LATE, p99=p99), 0, 0, 1.0, 1.0)


def test_columns_line_up() -> None:
    """Promise: the table is readable as text, and as Markdown."""
    assert table(["a", "bb"], [["1", "2"], ["333", "4"]]).splitlines() == [
        "| a   | bb |",
        "|-----|----|",
        "| 1   | 2  |",
        "| 333 | 4  |",
    ]


def test_the_ratio_to_the_limit_is_the_median_of_the_rounds_ratios() -> None:
    """Promise: the product's ratio is taken in the round, then over the rounds: 2 and 1, so 1.5."""
    line = next(line for line in report(a_run()).splitlines() if line.startswith(f"| {PRODUCT} "))
    assert line.split("|")[3].strip() == "1.50 (1.00–2.00)"


def test_what_was_not_run_is_not_printed() -> None:
    """Promise: a run of some benchmarks prints these."""
    headings = [line for line in report(a_run()).splitlines() if line.startswith("#")]
    assert headings == ["### Fan-out: 100 streams × 50 events/s"]


def test_a_run_can_be_kept_and_read_again() -> None:
    """Promise: the kept file gives the same tables, every round in it."""
    run = a_run()
    again = msgspec.json.decode(msgspec.json.encode(run), type=Results)
    assert again == run
    assert report(again) == report(run)


def test_slow_readers_are_compared_round_by_round() -> None:
    """Promise: each round's p99 with slow readers is held against that round's without, whichever came first."""
    assert slow_ratios([half(0, 100), half(5, 120), half(5, 300), half(0, 200)]) == [1.2, 1.5]


def test_a_rate_is_held_only_when_all_of_it_is_stored() -> None:
    """Promise: a gateway that falls behind, or is about to, is not called fast."""
    held = Flood(
        asked_rate=1000,
        sent_rate=1000,
        stored_rate=990,
        core_share=0.5,
        beside_share=0.2,
        cpu_us=50,
        lag=300,
        missing=0,
    )
    assert held.is_held
    assert not replace(held, missing=1).is_held
    assert not replace(held, lag=2000).is_held
    assert not replace(held, core_share=1.0).is_held


def test_the_document_takes_new_figures_and_keeps_its_words() -> None:
    """Promise: only what stands between the marks is replaced, and it names the file with every round."""
    opening, closing = marks("one form")
    others = "\n".join(marks("another"))
    first = with_report(f"before\n{opening}\n{closing}\n{others}\nafter\n", "figures of one", "one form", ["one.json"])
    second = with_report(first, "figures of two", "one form", ["two.json", "more.json"])
    assert second.startswith("before\n")
    assert second.endswith(f"{others}\nafter\n")
    assert "figures of two" in second
    assert "benchmarks/results/two.json" in second
    assert "benchmarks/results/more.json" in second
    assert "figures of one" not in second
    assert "one.json" not in second
    with pytest.raises(ValueError, match="no marks"):
        with_report("before", "figures", "one form", ["one.json"])


def test_what_was_measured_again_is_told_of_the_last_run() -> None:
    """Promise: of several runs each part is told once, by the newest that has it, and the others keep theirs."""
    company = [Company(False, 1000, 2000)]
    first = msgspec.structs.replace(a_run(), jobs=company)
    second = msgspec.structs.replace(a_run(), date="2026-01-02 00:00 UTC", took_s=12.0)
    told = [report(results) for results in newest_parts([first, second])]
    assert ["Fan-out" in text for text in told] == [False, True]
    assert ["beside jobs" in text for text in told] == [True, False]
    assert "broken off" in told[0]
    assert "12 s" in told[1]
    assert newest_parts([second, first]) == [msgspec.structs.replace(second, fanout=None), first]


def test_the_machine_is_told_and_not_named() -> None:
    """Promise: the kind of machine is kept, and neither its name nor a path of it."""
    found = this_machine()
    assert found.cores > 0
    assert found.python.startswith("3.")
    assert not any("/" in version for version in found.versions.values())


def test_jobs_are_told_by_their_kind() -> None:
    """Promise: windows without jobs, with all of them and with slow ones are a line each; a kind that was not measured
    has none.
    """
    windows = [Company(False, 1000, 2000), Company(True, 1100, 4000), Company(True, 1200, 3000, slow=True)]
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in jobs_table(windows).splitlines()[2:]]
    assert lines == [
        ["no jobs", "1.00", "2.00"],
        ["every job each second", "1.10", "4.00"],
        ["slow jobs", "1.20", "3.00"],
    ]
    assert "slow" not in jobs_table(windows[:2])
