"""The suite begins nowhere but where nothing of value can be met."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def collected(folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """What pytest says when it is to find this file's tests, with these settings."""
    given = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ} | settings
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-n0", "-p", "no:cacheprovider"]
    command += ["--rootdir", str(ROOT), "-c", str(ROOT / "pyproject.toml"), __file__]
    return subprocess.run(
        command, cwd=folder, env=given | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("mode", ["production", "development"])
def test_a_database_that_is_not_for_tests_is_refused(tmp_path: Path, mode: str) -> None:
    """Promise: with the settings of a real deployment no test is so much as looked for."""
    done = collected(tmp_path, DEBUG="False", PROJECT_MODE=mode)
    assert done.returncode == 2
    assert f"DEBUG=False and PROJECT_MODE={mode}: the test suite runs against testing databases alone." in (
        done.stdout + done.stderr
    )
    assert "test_a_database" not in done.stdout


def test_a_testing_database_is_welcome(tmp_path: Path) -> None:
    """Promise: PROJECT_MODE=testing is not refused."""
    done = collected(tmp_path, DEBUG="False", PROJECT_MODE="testing")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "test_a_testing_database_is_welcome" in done.stdout
