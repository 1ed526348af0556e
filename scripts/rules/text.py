"""Rules about what any tracked text says, whatever its language."""

from __future__ import annotations

import re
from collections.abc import Iterator

from scripts.rules.source import Finding, Source

# Written so that this file does not contain what it looks for.
UNFINISHED = re.compile(r"\b(TO[D]O|FIX[M]E|XX[X]|HAC[K]|NotImplemented[E]rror)\b")
REGISTRY = re.compile(r"https?://[^\s\"'<>)]*(pyp[i]|pythonhoste[d]|npmj[s]|regist[r]y|deb\.debia[n])", re.IGNORECASE)
MACHINE_PATH = re.compile(r"(?<![\w.)}\]-])/(?:wor[k]|roo[t]|far[m]|home/(?!\.)\w+)(?![\w-])")
URL = re.compile(r"\b(?:https?|file|git)(?:\+\w+)?:/+")

# Other people's words: recorded messages and vendored files are kept as they are.
AS_RECEIVED = re.compile(r"^__tests__/data/|^cryptomarket/page/vendor/|\.min\.(js|css)$|^package-lock\.json$")


def lines_matching(source: Source, pattern: re.Pattern[str]) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(source.lines, start=1):
        if match := pattern.search(line):
            yield number, match.group(0)


def unfinished_words(source: Source) -> Iterator[Finding]:
    """What is committed is finished; what isn't is in nobody's way."""
    if not AS_RECEIVED.search(str(source.path)):
        for line, word in lines_matching(source, UNFINISHED):
            yield source.finding(line, "unfinished", f"{word}: finish it or leave it out")


def registry_addresses(source: Source) -> Iterator[Finding]:
    """Where packages are fetched from is the machine's business."""
    for line, address in lines_matching(source, REGISTRY):
        yield source.finding(line, "registry-address", f"{address}: name the package, not where it is fetched from")


def machine_paths(source: Source) -> Iterator[Finding]:
    """A path of one machine is wrong on every other."""
    if not AS_RECEIVED.search(str(source.path)):
        for line, path in lines_matching(source, MACHINE_PATH):
            yield source.finding(line, "machine-path", f"{path}: no path of a particular machine")


def requirement_addresses(source: Source) -> Iterator[Finding]:
    """Pins are names, versions and hashes."""
    if source.room == "requirements":
        for line, address in lines_matching(source, URL):
            yield source.finding(line, "requirement-address", f"{address}: pins are names, versions and hashes alone")


TEXT_RULES = (unfinished_words, registry_addresses, machine_paths, requirement_addresses)
