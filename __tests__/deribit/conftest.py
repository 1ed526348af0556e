"""A simulator of its own for each test that wants one."""

from collections.abc import AsyncIterator

import pytest

from __tests__.deribit.ears import Ears
from cryptomarket.simulator.options import SimulatorOptions
from cryptomarket.simulator.server import RunningSimulator, running

# Heartbeat times fifty times shorter: the exchange takes no interval below ten seconds.
QUICK = SimulatorOptions(port=0, index_period_s=0.05, heartbeat_scale=0.02)


@pytest.fixture
async def simulator() -> AsyncIterator[RunningSimulator]:
    async with running(QUICK) as running_simulator:
        yield running_simulator


@pytest.fixture
async def ears() -> Ears:
    return Ears()
