"""Which Python carries the gateway."""

import shutil
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "find_python.sh"
SHELL = shutil.which("sh") or "/bin/sh"


def find(folder: Path, **versions: str) -> "subprocess.CompletedProcess[str]":
    """Runs the script where PATH holds only the given interpreters, each answering as its version would."""
    for name, version in versions.items():
        # The probe's last words are `<= (3, newest))`; the version decides, as it would in a real interpreter.
        answer = f"""
        if [ "$1" = --version ]; then echo "Python 3.{version}"; exit 0; fi
        newest=${{2##*(3, }}; newest=${{newest%%)*}}
        [ {version} -ge 11 ] && [ {version} -le "$newest" ]
        """
        path = folder / name.replace("_", ".")
        path.write_text(f"#!{SHELL}\n{answer}")
        path.chmod(0o755)
    return subprocess.run([SHELL, str(SCRIPT)], env={"PATH": str(folder)}, capture_output=True, text=True, check=False)


def test_the_usual_python_is_taken(tmp_path: Path) -> None:
    """Guards the plain case: one python3 that is new enough."""
    assert find(tmp_path, python3="11", python3_12="12").stdout == f"{tmp_path}/python3\n"


def test_an_old_python3_gives_way_to_a_newer_one_beside_it(tmp_path: Path) -> None:
    """Guards machines whose python3 is the distribution's old one."""
    assert find(tmp_path, python3="9", python3_12="12").stdout == f"{tmp_path}/python3.12\n"


def test_a_tested_version_goes_before_a_newer_one(tmp_path: Path) -> None:
    """Guards against building from source where wheels for the newest Python do not exist yet."""
    assert find(tmp_path, python3="15", python3_13="13").stdout == f"{tmp_path}/python3.13\n"
    assert find(tmp_path, python3="15", python3_13="9").stdout == f"{tmp_path}/python3\n"


def test_without_a_fitting_python_there_is_a_sentence(tmp_path: Path) -> None:
    """Guards against a traceback of ensurepip as the first thing that a newcomer reads."""
    done = find(tmp_path, python3="10")
    assert done.returncode == 1
    assert "needs Python 3.11 or newer" in done.stderr
    assert "Python 3.10" in done.stderr
