from types import SimpleNamespace
from typing import cast

import pytest
from fastapi import Request

from __tests__.history.outside import Names, open_to_all
from __tests__.history.world import StoppedClock, new_bus, new_cache
from cryptomarket.history.parts import build_history
from cryptomarket.history.repository import Repository
from cryptomarket.history.routes import parts


async def test_routes_take_their_parts_from_the_state(repository: Repository, stopped: StoppedClock) -> None:
    """Parts come from lifespan state, as they were put there, and nobody exchanges one on the way."""
    handed = build_history(repository, new_bus(), new_cache(), open_to_all(), Names(), stopped.clock)
    request = cast("Request", SimpleNamespace(state=SimpleNamespace(history=handed)))
    assert await parts(request) is handed
    with pytest.raises(AttributeError):
        handed.clock = stopped.clock  # type: ignore[misc]
