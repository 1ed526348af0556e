"""The tables of the last run inside of docs/performance.md, between two marks."""

from pathlib import Path

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "performance.md"
BEGIN = "<!-- figures: written by `python -m benchmarks --document` -->"
END = "<!-- end of the figures -->"


def with_report(document: str, report: str, raw: str) -> str:
    """The document with other figures. Raises ValueError when it has no place for them."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("the document has no marks between which the figures stand")
    source = f"Every round: [benchmarks/results/{raw}](../benchmarks/results/{raw})."
    return f"{before}{BEGIN}\n\n{report.strip()}\n\n{source}\n\n{END}{after}"
