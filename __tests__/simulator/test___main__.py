"""The command alone: it says where it listens, and dies with the pipe that its parent holds."""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from __tests__.simulator.talk import DATA

COMMAND = [sys.executable, "-m", "cryptomarket.simulator", "--port", "0"]


def start(*arguments: str) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        [*COMMAND, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("simulator listening on ws://127.0.0.1:")
    return process, line.removeprefix("simulator listening on ws://").partition("/")[0]


def test_it_ends_when_its_pipe_closes() -> None:
    process, _ = start("--until-pipe-closes")
    process.communicate(timeout=20)
    assert process.returncode == 0


def test_it_ends_on_a_signal() -> None:
    process, _ = start()
    process.terminate()
    process.communicate(timeout=20)
    assert process.returncode == 0


def test_it_takes_a_script_and_a_recording(tmp_path: Path) -> None:
    script = tmp_path / "faults.json"
    script.write_text('[{"kind": "silence", "at_s": 100}]')
    process, address = start(
        "--faults", str(script), "--play", str(DATA / "notif_index.jsonl"), "--seed", "7", "--record"
    )
    with urllib.request.urlopen(f"http://{address}/simulator/state", timeout=10) as response:  # our own
        state = json.load(response)
    process.terminate()
    process.communicate(timeout=20)
    assert [fault["kind"] for fault in state["faults"]] == ["silence"]
    assert state["recording"] is True


@pytest.mark.parametrize("text", ["{", '[{"kind": "nonsense"}]'])
def test_a_bad_script_is_told_at_the_start(tmp_path: Path, text: str) -> None:
    script = tmp_path / "faults.json"
    script.write_text(text)
    found = subprocess.run([*COMMAND, "--faults", str(script)], capture_output=True, text=True, timeout=20, check=False)
    assert found.returncode == 2
    assert "Invalid value" in found.stderr
