"""A file of events is its own memory: whatever moment a process dies at, the next one goes on exactly."""

import json
from pathlib import Path

import pytest

from __tests__.terminal.heard import connected, heard, tick
from cryptomarket.terminal.lines import LineFile, line_of


def test_a_line_has_the_place_to_go_on_from() -> None:
    """Promise: each line names its event and id, and has the data as they were sent."""
    line = line_of(tick(7, 85500.5))
    assert line is not None
    assert line.endswith(b"}\n")
    assert json.loads(line) | {"event": "message", "id": "e-7", "price": 85500.5, "seq": 7} == json.loads(line)
    assert line_of(connected("reset"))
    assert line_of(connected("fresh")) is None
    assert line_of(heard("keep_alive", position="e-9", server_time_us=1, feeds={})) is None


def test_a_torn_line_is_cut_and_the_last_whole_one_counts(tmp_path: Path) -> None:
    """Promise: at every byte at which a write may have ended, the file opens at its last whole line."""
    path = tmp_path / "x.jsonl"
    lines = [line for seq in (1, 2, 3) if (line := line_of(tick(seq, 1.5)))]
    whole = b"".join(lines)
    for size in range(len(lines[0]) - 1, len(whole) + 1):
        path.write_bytes(whole[:size])
        with LineFile(path) as file:
            count = whole[:size].count(b"\n")
            assert file.position == (f"e-{count}" if count else None)
            file.write(b'{"event":"x"}\n')
        assert path.read_bytes() == b"".join(lines[:count]) + b'{"event":"x"}\n'


def test_a_long_line_is_found_and_an_empty_file_begins(tmp_path: Path) -> None:
    """Promise: lines longer than what is read at once are no hindrance."""
    path = tmp_path / "x.jsonl"
    with LineFile(path) as file:
        assert file.position is None
        for seq in (1, 2):
            line = line_of(tick(seq, 1.5, filler="x" * 100_000))
            assert line is not None
            file.write(line)
    with path.open("ab") as torn:
        torn.write(b'{"event":"message","id":"e-3"')
    with LineFile(path) as file:
        assert file.position == "e-2"


@pytest.mark.parametrize("content", [b"my diary", b"a\nb\n", b"[1]\n", b"x" * 200_000])
def test_another_file_is_left_as_it_is(content: bytes, tmp_path: Path) -> None:
    """Promise: nothing is cut off what was never ours."""
    path = tmp_path / "diary"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="no file of events"):
        LineFile(path)
    assert path.read_bytes() == content
