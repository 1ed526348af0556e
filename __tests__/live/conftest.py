"""What the tests of this room share."""

from collections.abc import Iterator

import pytest

from __tests__.live import world


@pytest.fixture(scope="module", params=["line", "asgi"])
def way(request: pytest.FixtureRequest) -> Iterator[str]:
    """Readers are written to directly, or through ASGI alone: what they hear is the same."""
    world.Way.by_line = request.param == "line"
    yield request.param
    world.Way.by_line = False
