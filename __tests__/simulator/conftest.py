"""What the simulator's tests share."""

import pytest

from __tests__.simulator.talk import NOW_US, Talk
from cryptomarket.simulator.world import World


@pytest.fixture
def talk() -> Talk:
    return Talk()


@pytest.fixture(scope="session")
def world() -> World:
    return World(1, 0.0, {}, 1.0, NOW_US)
