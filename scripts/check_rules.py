"""The project's own laws, checked rather than remembered: python -m scripts.check_rules"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from scripts.rules.code import CODE_RULES
from scripts.rules.layout import long_files, missing_twins, vague_names
from scripts.rules.requirements import out_of_step, unhashed_pins
from scripts.rules.source import Finding, Source, read_project
from scripts.rules.text import TEXT_RULES

ROOT = Path(__file__).resolve().parent.parent


def breaches(sources: Sequence[Source]) -> Iterator[Finding]:
    """Every finding of every rule over the whole project."""
    for source in sources:
        for text_rule in (*TEXT_RULES, vague_names, long_files):
            yield from text_rule(source)
        if source.is_python:
            yield from code_breaches(source)
        if source.room == "requirements":
            yield from unhashed_pins(source)
    files = {str(source.path): source for source in sources}
    yield from missing_twins(files.keys())
    yield from out_of_step(files)


def code_breaches(source: Source) -> Iterator[Finding]:
    """What the code rules say of one Python file; a file that can't be read as Python is a finding itself."""
    try:
        ast.parse(source.text)
    except SyntaxError as error:
        yield source.finding(error.lineno or 1, "unreadable", error.msg)
        return
    for rule in CODE_RULES:
        yield from rule(source)


def main(root: Path = ROOT) -> int:
    """Prints the findings. Returns the exit status: 1 when there are any."""
    sources = read_project(root)
    findings = sorted(breaches(sources))
    for finding in findings:
        print(finding)
    print(f"{len(findings)} finding(s) in {len(sources)} files", file=sys.stderr if findings else sys.stdout)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
