"""Seeded randomness that can be asked for any moment: a pure function of (seed, name, step)."""

from hashlib import blake2b
from math import sqrt

_MASK = (1 << 64) - 1
_SCALE = 1.0 / (1 << 64)


def stream_key(seed: int, name: str) -> int:
    """The 64-bit key of one named stream of numbers under a seed."""
    return int.from_bytes(blake2b(f"{seed}/{name}".encode(), digest_size=8).digest(), "big")


def bits(key: int, step: int) -> int:
    """64 well-mixed bits for a step (splitmix64, Steele et al. 2014)."""
    mixed = (key + step * 0x9E3779B97F4A7C15) & _MASK
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
    return mixed ^ (mixed >> 31)


def unit(key: int, step: int) -> float:
    """A number in [0, 1) for a step."""
    return bits(key, step) * _SCALE


class Wander:
    """A path that looks like Brownian motion and can be read at any time in constant time.

    Value noise is summed over doubling periods with amplitudes growing as the square root of the period, so
    increments over a time T have a spread near ``volatility * sqrt(T)``, up to twelve days; further out the path
    returns towards zero, which keeps a price near its anchor however long the simulator runs.

    Args:
        key: from `stream_key`.
        volatility: spread of the increments over one second.
    """

    _PERIODS_S = tuple(float(1 << power) for power in range(21))

    def __init__(self, key: int, volatility: float) -> None:
        self._octaves = [
            (period_s, bits(key, index), 1.2 * volatility * sqrt(period_s))
            for index, period_s in enumerate(self._PERIODS_S)
        ]
        self._cells: list[tuple[int, float, float]] = [(-1, 0.0, 0.0)] * len(self._octaves)

    def at(self, time_s: float) -> float:
        """The path's height at a time in seconds since the origin."""
        height = 0.0
        for index, (period_s, key, amplitude) in enumerate(self._octaves):
            place = time_s / period_s
            cell = int(place // 1)
            known = self._cells[index]
            if known[0] != cell:
                known = (cell, (unit(key, cell) - 0.5) * amplitude, (unit(key, cell + 1) - 0.5) * amplitude)
                self._cells[index] = known
            height += known[1] + (known[2] - known[1]) * (place - cell)
        return height
