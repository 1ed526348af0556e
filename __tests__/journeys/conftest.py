"""What journeys share."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from __tests__.journeys.warm import warm_up


@pytest.fixture(scope="session", autouse=True)
def warm() -> None:
    """No journey waits for it, which may have deadlines to keep."""
    warm_up()


def pytest_collection_modifyitems(items: Iterable[pytest.Item]) -> None:
    """Journeys do not count as coverage, which would take them twice the time: they are about what the whole does, and
    a line that a crowd of processes has run was not tested by that.
    """
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.no_cover)
