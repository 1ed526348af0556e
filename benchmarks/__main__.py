"""python -m benchmarks [--quick] [--form FORM] [NAME …]: measures, prints tables, keeps what was found.

python -m benchmarks --tables FILE …: prints the tables of a run that was kept, or of several of one form: what a later
one has measured again is told of that one alone. With --document, either writes them into docs/performance.md as well.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from benchmarks.crowd import BUILD
from benchmarks.document import DOCUMENT, with_report
from benchmarks.forms import FORMS, MEASURED
from benchmarks.machine import this_machine
from benchmarks.processes import CORES, take_all_files
from benchmarks.suite import NAMES, QUICK, WHOLE, Results, newest_parts, run
from benchmarks.tables import report

KEPT = Path(__file__).parent / "results"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measures the gateway beside its rivals.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"what to measure; all of: {' '.join(NAMES)}")
    parser.add_argument("--quick", action="store_true", help=f"seconds instead of minutes; kept in {BUILD.name}/ only")
    parser.add_argument("--form", choices=sorted(FORMS), help="one form of the product; both, one after the other")
    parser.add_argument("--tables", type=Path, nargs="+", metavar="FILE", help="print tables of runs that were kept")
    parser.add_argument("--document", action="store_true", help=f"write the tables into {DOCUMENT.name}")
    found = parser.parse_args()
    unknown = set(found.names) - set(NAMES)
    if unknown:
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}")
    if found.quick and found.document:
        parser.error("figures of seconds mean too little for the document")
    if found.tables is not None:
        found.kept = [_kept(parser, file) for file in found.tables]
        if len({results.form for results in found.kept}) > 1:
            parser.error("these runs are of different forms")
    return found


def _kept(parser: argparse.ArgumentParser, file: Path) -> Results:
    try:
        return msgspec.json.decode(file.read_bytes(), type=Results)
    except (OSError, msgspec.DecodeError) as unreadable:
        parser.error(f"{file} is no run that was kept: {unreadable}")


def _measure(results: Results, names: list[str]) -> None:
    """Puts what is found into `results`, part by part."""
    take_all_files()
    if len(CORES) < 2:
        print("One core only: the readers take their time from the server, and figures mean little.", file=sys.stderr)
    began_s = time.monotonic()

    def tell(words: str) -> None:
        print(f"{time.monotonic() - began_s:6.1f} s  {words}", file=sys.stderr, flush=True)

    form, scale = FORMS[results.form], QUICK if results.quick else WHOLE
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as folder:
        run(results, names or MEASURED[results.form], scale, form, Path(folder), tell)
    results.took_s = time.monotonic() - began_s


def _keep(results: Results, *, quick: bool) -> Path:
    stamp = results.date.replace(" UTC", "").replace(" ", "-").replace(":", "")
    file = BUILD / f"quick-{results.form}.json" if quick else KEPT / f"{stamp}-{results.form}.json"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")
    return file


def _show(runs: Sequence[Results], files: Sequence[Path], *, document: bool) -> None:
    text = "\n".join(report(results) for results in newest_parts(runs))
    print(text, flush=True)
    if document:
        names = [file.name for file in files]
        DOCUMENT.write_text(with_report(DOCUMENT.read_text(), text, runs[0].form, names))


def main() -> None:
    """The command."""
    asked = _arguments()
    if asked.tables is not None:
        _show(asked.kept, asked.tables, document=asked.document)
        return
    for form in [asked.form] if asked.form else FORMS:
        results = Results(
            date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"), machine=this_machine(), form=form, quick=asked.quick
        )
        try:
            _measure(results, asked.names)
        finally:
            # What was found before something failed took minutes.
            file = _keep(results, quick=asked.quick)
            print(f"Kept in {file}", file=sys.stderr)
        _show([results], [file], document=asked.document)


if __name__ == "__main__":
    main()
