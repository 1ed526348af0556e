"""Rules about where things are and what files are called."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import PurePosixPath

from scripts.rules.source import Finding, Source

THIS_FILE = "scripts/rules/layout.py"
MAX_LINES = 350
VAGUE = {"utils", "util", "helpers", "helper", "manager", "managers", "services", "core", "common", "misc"}

# Modules without a test file of their own: where they are tested instead, and why.
_AS_A_PROCESS = "it is what a process is made of, and is run as one"
TESTED_ELSEWHERE: dict[str, tuple[str, str]] = {
    "cryptomarket/__main__.py": ("__tests__/journeys/test_first_ticks.py", _AS_A_PROCESS),
    "cryptomarket/flower.py": ("__tests__/deployment/test_flower.py", _AS_A_PROCESS),
}


def vague_names(source: Source) -> Iterator[Finding]:
    """A file is named for what it knows, not for the drawer it came from."""
    if source.room in {"cryptomarket", "__tests__", "scripts", "benchmarks"}:
        stem = source.path.stem.removeprefix("test_")
        for name in {stem, *source.path.parts[:-1]} & VAGUE:
            yield source.finding(1, "vague-name", f"{name} says nothing; name it for the noun it holds")


def long_files(source: Source) -> Iterator[Finding]:
    """One noun a file. A long one usually holds two."""
    if source.is_python and source.room in {"cryptomarket", "scripts"} and len(source.lines) > MAX_LINES:
        yield source.finding(
            MAX_LINES, "long-file", f"{len(source.lines)} lines; at most {MAX_LINES}, perhaps there are two nouns in it"
        )


def twin(module: PurePosixPath) -> PurePosixPath:
    """`cryptomarket/live/hub.py` → `__tests__/live/test_hub.py`; `scripts/x.py` → `__tests__/scripts/test_x.py`."""
    inside = module.relative_to("cryptomarket") if module.parts[0] == "cryptomarket" else module
    return PurePosixPath("__tests__") / inside.parent / f"test_{inside.name}"


def addresses(module: PurePosixPath) -> list[str]:
    """Where a module may be tested, its own address first."""
    own = twin(module)
    accepted = [str(own)]
    if module.name == "tables.py":
        # Columns have no behaviour but that of the queries over them.
        accepted.append(str(own.with_name("test_repository.py")))
    if module.parts[:2] == ("cryptomarket", "backplane"):
        # A seam and all its implementations share one suite.
        accepted.append(f"__tests__/conformance/test_{module.name}")
    return accepted


def missing_twins(
    paths: Collection[str], elsewhere: Mapping[str, tuple[str, str]] = TESTED_ELSEWHERE
) -> Iterator[Finding]:
    """Every module is tested at its own address, or has its place and reason in TESTED_ELSEWHERE."""
    for text in sorted(paths):
        path = PurePosixPath(text)
        if path.suffix != ".py" or path.parts[0] not in {"cryptomarket", "scripts"} or path.name == "__init__.py":
            continue
        accepted = [elsewhere[text][0]] if text in elsewhere else addresses(path)
        if not any(address in paths for address in accepted):
            yield Finding(text, 1, "no-twin", f"its test {accepted[0]} does not exist")
        elif text in elsewhere and any(address in paths for address in addresses(path)):
            yield Finding(THIS_FILE, 1, "stale-exception", f"{text} has a test at its own address")
    for text in sorted(set(elsewhere) - set(paths)):
        yield Finding(THIS_FILE, 1, "stale-exception", f"{text} does not exist any more")
