"""Rules about the pinned packages: in step with pyproject.toml, with each other, and pinned by hash."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from scripts.rules.source import Finding, Source

# Which file carries which extra, besides what the gateway itself needs.
EXTRA_OF_FILE = {"requirements/run.txt": "build", "requirements/dev.txt": "dev", "requirements/audit.txt": "audit"}
BASE = "requirements/dev.txt"
PIN = re.compile(r"^(?P<name>[A-Za-z0-9][\w.-]*)(?:\[[\w,-]+\])?==(?P<version>[^\s;\\]+)")


def pins(source: Source) -> dict[str, list[tuple[int, str]]]:
    """Name → (line, version) of each pin. A universal file may pin one name twice, under different markers."""
    found: dict[str, list[tuple[int, str]]] = {}
    for number, line in enumerate(source.lines, start=1):
        if match := PIN.match(line):
            found.setdefault(canonicalize_name(match["name"]), []).append((number, match["version"]))
    return found


def wanted(pyproject: Source, extra: str) -> list[Requirement]:
    """What pyproject.toml asks for: the gateway's dependencies and those of one extra."""
    project = tomllib.loads(pyproject.text)["project"]
    return [Requirement(text) for text in [*project["dependencies"], *project["optional-dependencies"].get(extra, [])]]


def unhashed_pins(source: Source) -> Iterator[Finding]:
    """Every requirement is an exact version with at least one hash."""
    requirement = 0
    hashed = True
    for number, line in enumerate([*source.lines, "end"], start=1):
        if line.startswith((" ", "#")) or not line.strip():
            hashed = hashed or "--hash=sha256:" in line
            continue
        if not hashed:
            yield source.finding(requirement, "unhashed-pin", "a pin without a hash; run make lock")
        if number <= len(source.lines) and not PIN.match(line):
            yield source.finding(number, "unhashed-pin", f"{line.split()[0]}: not an exact version; run make lock")
        requirement, hashed = number, number > len(source.lines)


def out_of_step(files: Mapping[str, Source]) -> Iterator[Finding]:
    """The pins carry what pyproject.toml asks for, and what runs is what was tested.

    Args:
        files: the project's files by path; those that are absent are reported.
    """
    pyproject = files["pyproject.toml"]
    for path, extra in EXTRA_OF_FILE.items():
        if path not in files:
            yield pyproject.finding(1, "out-of-step", f"{path} is absent; run make lock")
            continue
        pinned = pins(files[path])
        for requirement in wanted(pyproject, extra):
            versions = [Version(version) for _, version in pinned.get(canonicalize_name(requirement.name), [])]
            if not any(requirement.specifier.contains(version, prereleases=True) for version in versions):
                yield files[path].finding(1, "out-of-step", f"{requirement} is asked for but not pinned; run make lock")
        tested = pins(files[BASE]) if BASE in files else {}
        for name, entries in pinned.items():
            known = {version for _, version in tested.get(name, [])}
            for line, version in entries:
                if known and version not in known:
                    yield files[path].finding(
                        line, "out-of-step", f"{name}=={version} is not what the tests run; run make lock"
                    )
