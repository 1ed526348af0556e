"""Recorded messages, by line."""

from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "data" / "deribit"


def lines(*names: str) -> list[bytes]:
    """The lines of some files of recorded messages, in order; a name may be a pattern."""
    found = [path for name in names for path in sorted(FOLDER.glob(name))]
    assert found, f"no samples named {names}"
    return [line for path in found for line in path.read_bytes().splitlines() if line.strip()]


def numbered(*names: str) -> Iterator[tuple[str, bytes]]:
    """(file:line, message) of some files."""
    for name in names:
        for path in sorted(FOLDER.glob(name)):
            for number, line in enumerate(path.read_bytes().splitlines(), 1):
                if line.strip():
                    yield f"{path.name}:{number}", line
