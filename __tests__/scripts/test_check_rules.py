"""The command as a whole: it prints what it found and says so with its status."""

import subprocess
from pathlib import Path

import pytest

from scripts.check_rules import main
from scripts.rules.layout import TESTED_ELSEWHERE

PYPROJECT = "[project]\ndependencies = []\n[project.optional-dependencies]\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for module in list(TESTED_ELSEWHERE):
        monkeypatch.delitem(TESTED_ELSEWHERE, module)
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    (tmp_path / "requirements").mkdir()
    for name in ("run", "dev", "audit"):
        (tmp_path / "requirements" / f"{name}.txt").write_text("")
    (tmp_path / "__tests__").mkdir()
    (tmp_path / "__tests__" / "test_hub.py").write_text("x = 1\n")
    (tmp_path / "cryptomarket").mkdir()
    (tmp_path / "cryptomarket" / "hub.py").write_text("x = 1\n")
    return tmp_path


def test_a_clean_project_passes(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Guards against a check that can never be green."""
    assert main(project) == 0
    assert capsys.readouterr().out == "0 finding(s) in 6 files\n"


def test_findings_are_printed_with_their_place(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Guards against a check that finds and stays green."""
    (project / "cryptomarket" / "hub.py").write_text("import asyncio\n\nqueue = asyncio.Queue()\n")
    assert main(project) == 1
    assert capsys.readouterr().out.startswith("cryptomarket/hub.py:3: unbounded-queue: ")


def test_a_file_that_cannot_be_read_as_python_is_a_finding(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Guards against one broken file hiding the findings in all others."""
    (project / "cryptomarket" / "hub.py").write_text("def\n")
    assert main(project) == 1
    assert "cryptomarket/hub.py:1: unreadable: " in capsys.readouterr().out
