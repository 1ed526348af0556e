"""Where things are: twins, names and lengths."""

from pathlib import PurePosixPath

import pytest

from scripts.rules.layout import long_files, missing_twins, vague_names
from scripts.rules.source import Source


def test_a_module_without_its_test_is_noticed() -> None:
    """Guards the promise that every module is tested at its own address."""
    findings = list(missing_twins({"cryptomarket/live/hub.py", "__tests__/live/test_relay.py"}, {}))
    assert [(finding.path, finding.rule) for finding in findings] == [("cryptomarket/live/hub.py", "no-twin")]


@pytest.mark.parametrize(
    ("module", "test"),
    [
        ("cryptomarket/live/hub.py", "__tests__/live/test_hub.py"),
        ("cryptomarket/db.py", "__tests__/test_db.py"),
        ("scripts/rules/code.py", "__tests__/scripts/rules/test_code.py"),
        ("cryptomarket/history/tables.py", "__tests__/history/test_repository.py"),
        ("cryptomarket/backplane/redis/bus.py", "__tests__/conformance/test_bus.py"),
    ],
)
def test_a_module_with_its_test_is_left_alone(module: str, test: str) -> None:
    """Guards the addresses themselves: mirrored, and the two families that share a suite."""
    assert list(missing_twins({module, test}, {})) == []


def test_an_exception_needs_its_test_and_its_need() -> None:
    """Guards against a list of exceptions that outlives what it excuses."""
    elsewhere = {"cryptomarket/__main__.py": ("__tests__/journeys/test_start.py", "two lines")}
    module, excused = "cryptomarket/__main__.py", "__tests__/journeys/test_start.py"
    assert list(missing_twins({module, excused}, elsewhere)) == []
    assert [finding.rule for finding in missing_twins({module}, elsewhere)] == ["no-twin"]
    assert [finding.rule for finding in missing_twins({excused}, elsewhere)] == ["stale-exception"]
    both = {module, excused, "__tests__/test___main__.py"}
    assert [finding.rule for finding in missing_twins(both, elsewhere)] == ["stale-exception"]


@pytest.mark.parametrize(
    "path", ["cryptomarket/live/utils.py", "cryptomarket/core/hub.py", "__tests__/test_helpers.py", "scripts/common.sh"]
)
def test_a_name_that_says_nothing_is_noticed(path: str) -> None:
    """Guards against drawers into which everything goes."""
    assert [finding.rule for finding in vague_names(Source(PurePosixPath(path), ""))] == ["vague-name"]


def test_a_file_may_have_350_lines_and_not_more() -> None:
    """Guards the size at which a file can still be read in one go; a vague name is none of its business."""
    fits = Source(PurePosixPath("cryptomarket/live/hub.py"), "x = 1\n" * 350)
    exceeds = Source(PurePosixPath("cryptomarket/live/hub.py"), "x = 1\n" * 351)
    assert list(long_files(fits)) == []
    assert [finding.rule for finding in long_files(exceeds)] == ["long-file"]
    assert list(vague_names(exceeds)) == []
