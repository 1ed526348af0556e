"""The tables of the last run of each form inside of docs/performance.md, between two marks."""

from collections.abc import Sequence
from pathlib import Path

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "performance.md"


def marks(form: str) -> tuple[str, str]:
    """What stands before the figures of a form, and what behind them."""
    return f"<!-- {form}: written by `python -m benchmarks --document` -->", f"<!-- end of {form} -->"


def with_report(document: str, report: str, form: str, raw: Sequence[str]) -> str:
    """The document with other figures of a form. Raises ValueError when it has no place for them."""
    opening, closing = marks(form)
    before, begin, rest = document.partition(opening)
    _, end, after = rest.partition(closing)
    if not begin or not end:
        raise ValueError(f"the document has no marks between which the figures of {form} stand")
    files = ", ".join(f"[benchmarks/results/{name}](../benchmarks/results/{name})" for name in raw)
    source = f"Every round: {files}."
    return f"{before}{opening}\n\n{report.strip()}\n\n{source}\n\n{closing}{after}"
