"""One suite, every form of the backplane: a behaviour that only one of them has is a bug."""

from collections.abc import AsyncIterator

import pytest

from __tests__.conformance.form import FORMS, Backplane


@pytest.fixture(params=sorted(FORMS))
async def backplane(request: pytest.FixtureRequest) -> AsyncIterator[Backplane]:
    """Each form in turn."""
    async with FORMS[request.param]() as made:
        yield made
