"""How long to wait before the next attempt."""

from collections.abc import Callable


class Backoff:
    """Full jitter: a random part of base × 2ⁿ seconds, at most the cap. After an outage nobody comes back in step.

    `random` gives numbers in [0, 1).
    """

    def __init__(self, *, base_s: float, cap_s: float, random: Callable[[], float]) -> None:
        self._base_s = base_s
        self._cap_s = cap_s
        self._random = random
        self._attempts = 0

    def next_s(self) -> float:
        """Seconds to wait before the attempt that comes next."""
        # Bounded, for 2**1100 is no float.
        limit_s = min(self._cap_s, self._base_s * 2.0 ** min(self._attempts, 64))
        self._attempts += 1
        return self._random() * limit_s

    def reset(self) -> None:
        """All is well again; the next failure begins at the base."""
        self._attempts = 0
