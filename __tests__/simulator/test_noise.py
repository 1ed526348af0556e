"""Randomness can be asked for any moment and answers the same each time."""

import itertools
from statistics import pstdev

from hypothesis import given
from hypothesis import strategies as st

from __tests__.simulator.talk import NOW_US
from cryptomarket.simulator.noise import Wander, bits, stream_key, unit

SECONDS = st.integers(0, 4_000_000_000)


@given(st.integers(), st.text(max_size=9), SECONDS)
def test_a_number_depends_on_seed_name_and_step_alone(seed: int, name: str, step: int) -> None:
    assert unit(stream_key(seed, name), step) == unit(stream_key(seed, name), step)
    assert 0.0 <= unit(stream_key(seed, name), step) < 1.0
    assert bits(stream_key(seed, name), step) != bits(stream_key(seed + 1, name), step)


@given(st.lists(SECONDS, min_size=2, max_size=20))
def test_a_path_does_not_care_in_which_order_it_is_read(times: list[int]) -> None:
    key = stream_key(1, "path")
    there = [Wander(key, 1e-4).at(time_s) for time_s in times]
    forth = Wander(key, 1e-4)
    assert [forth.at(time_s) for time_s in times] == there
    assert [forth.at(time_s) for time_s in reversed(times)] == there[::-1]


def test_a_path_moves_like_brownian_motion() -> None:
    """The spread of increments grows with the square root of the time between them."""
    start_s = NOW_US // 1_000_000
    path = [Wander(stream_key(1, "x"), 1e-4).at(start_s + second) for second in range(0, 40_000, 4)]
    near = pstdev(after - before for before, after in itertools.pairwise(path))
    far = pstdev(after - before for before, after in zip(path, path[100:], strict=False))
    assert 5 < far / near < 20
