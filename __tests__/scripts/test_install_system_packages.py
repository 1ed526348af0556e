"""The programs that tests start: installed if that is allowed, named if it isn't."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "install_system_packages.sh"
SHELL = shutil.which("sh") or "/bin/sh"
PACKAGES = ["chromium", "curl", "faketime", "nginx", "postgresql", "redis-server"]
# PostgreSQL is found by its initdb.
PROGRAMS = {("initdb" if name == "postgresql" else name): "" for name in PACKAGES}

Machine = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Runs the script where PATH holds nothing but the given programs and what the shell needs."""

    def run(programs: dict[str, str], *wanted: str) -> "subprocess.CompletedProcess[str]":
        for name in ("env", "ls", "chmod"):
            (tmp_path / name).symlink_to(shutil.which(name) or name)
        for name, text in programs.items():
            (tmp_path / name).write_text(f"#!{SHELL}\nhere={tmp_path}\n{text}\n")
            (tmp_path / name).chmod(0o755)
        command = [SHELL, str(SCRIPT), *wanted]
        return subprocess.run(
            command, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False, timeout=30
        )

    return run


def test_a_complete_machine_is_left_alone(machine: Machine) -> None:
    """Guards the second `make test`: nothing is asked of apt when nothing is missing."""
    done = machine({**PROGRAMS, "id": "echo 0", "apt-get": "echo asked; exit 1"})
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_is_missing_is_named_with_its_remedy(machine: Machine) -> None:
    """Guards the promise to say exactly what is missing, and how to get it, to who may not install."""
    done = machine({"id": "echo 1000", "apt-get": "exit 1"})
    assert done.returncode == 1
    assert "sudo apt-get install --no-install-recommends" in done.stderr
    assert {"chromium", "curl", "redis-server"} <= set(done.stderr.split())


def test_other_programs_can_be_asked_for(machine: Machine) -> None:
    """Guards `make bench`, which needs a compiler and none of the rest."""
    done = machine({"nginx": "", "id": "echo 1000", "apt-get": "exit 1"}, "gcc", "nginx")
    assert done.returncode == 1
    assert "--no-install-recommends gcc" in done.stderr
    assert "nginx" not in done.stderr


def test_a_machine_without_apt_is_told_the_names(machine: Machine) -> None:
    """Guards against a riddle on systems that have another package manager."""
    done = machine({"id": "echo 0", "curl": ""})
    assert done.returncode == 1
    words = set(done.stderr.split())
    assert {"chromium", "redis-server"} <= words
    assert "curl" not in words


def test_root_installs_what_is_missing(machine: Machine) -> None:
    """Guards the clean machine of continuous integration, which asks nobody."""
    missing = {name: text for name, text in PROGRAMS.items() if name not in {"chromium", "redis-server"}}
    apt = """
    echo "$@" >>$here/asked
    case "$*" in *install*) for name in chromium redis-server; do echo >$here/$name; chmod 755 $here/$name; done ;; esac
    """
    done = machine({**missing, "id": "echo 0", "apt-get": apt})
    assert (done.returncode, done.stderr) == (0, "")
    assert "chromium" in done.stdout


def test_an_installation_that_did_not_help_is_an_error(machine: Machine) -> None:
    """Guards against tests that fail later for want of a program, with a worse sentence."""
    done = machine({"id": "echo 0", "apt-get": ""})
    assert done.returncode == 1
    assert "still missing" in done.stderr
