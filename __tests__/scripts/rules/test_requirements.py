"""The pins: hashed, in step with pyproject.toml, and the same for what runs and what is tested."""

from pathlib import PurePosixPath

import pytest

from scripts.rules.requirements import out_of_step, unhashed_pins
from scripts.rules.source import Source

HASH = "    --hash=sha256:" + "0" * 64
PYPROJECT = """
[project]
dependencies = ["redis[hiredis]>=6", "msgspec>=0.19"]
[project.optional-dependencies]
build = ["Hatchling>=1.27"]
dev = ["pytest>=9"]
audit = ["pip_audit>=2"]
"""
RUN = ["redis==8.1.0", "msgspec==0.22.0", "hatchling==1.33.0"]
DEV = [*RUN, "pytest==9.2.0"]
AUDIT = [*RUN, "pip-audit==2.9.0"]


def requirements(name: str, pins: list[str]) -> Source:
    text = "".join(f"{pin} \\\n{HASH}\n    # via somebody\n" for pin in pins)
    return Source(PurePosixPath(f"requirements/{name}.txt"), text)


def rules(run: list[str], dev: list[str], audit: list[str]) -> list[tuple[str, str]]:
    sources = [
        Source(PurePosixPath("pyproject.toml"), PYPROJECT),
        requirements("run", run),
        requirements("dev", dev),
        requirements("audit", audit),
    ]
    return [(finding.path, finding.rule) for finding in out_of_step({str(source.path): source for source in sources})]


def test_pins_in_step_are_left_alone() -> None:
    """Guards against false alarms over spelling: case, dashes and extras do not make another package."""
    assert rules(RUN, DEV, AUDIT) == []


def test_a_dependency_without_a_pin_is_noticed() -> None:
    """Guards against a start that fails on the first import."""
    assert rules(RUN[1:], DEV, AUDIT) == [("requirements/run.txt", "out-of-step")]


def test_a_pin_below_what_is_asked_for_is_noticed() -> None:
    """Guards against raising a lower bound without compiling the pins again."""
    assert rules(RUN, [*RUN, "pytest==8.4.0"], AUDIT) == [("requirements/dev.txt", "out-of-step")]


def test_running_what_was_not_tested_is_noticed() -> None:
    """Guards against one version in production and another under test."""
    assert rules(["redis==8.0.0", *RUN[1:]], DEV, AUDIT) == [("requirements/run.txt", "out-of-step")]


def test_an_absent_file_is_noticed() -> None:
    """Guards against a lock that was never compiled."""
    pyproject = Source(PurePosixPath("pyproject.toml"), PYPROJECT)
    assert {finding.rule for finding in out_of_step({"pyproject.toml": pyproject})} == {"out-of-step"}


@pytest.mark.parametrize(
    "text", ["redis==8.1.0\n", f"redis>=8 \\\n{HASH}\n", f"a==1 \\\n{HASH}\nb==2\n", "-r run.txt\n"]
)
def test_a_loose_pin_is_noticed(text: str) -> None:
    """Guards against installing something that nobody has hashed."""
    assert "unhashed-pin" in {
        finding.rule for finding in unhashed_pins(Source(PurePosixPath("requirements/run.txt"), text))
    }


def test_hashed_pins_are_left_alone() -> None:
    """Guards the form that the compiler writes, with markers and more than one hash."""
    text = f"# a comment\na==1 ; sys_platform == 'linux' \\\n{HASH} \\\n{HASH}\n    # via b\nb[x]==2 \\\n{HASH}\n"
    assert list(unhashed_pins(Source(PurePosixPath("requirements/run.txt"), text))) == []
