"""An exchange that can't be reached is told plainly: once, again after a while, and when it is back."""

from cryptomarket.clock import Clock
from cryptomarket.reachability import Reachability


class Times:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def clock(self) -> Clock:
        """The clock of these times."""
        return Clock(lambda: self.now_s, lambda: round(self.now_s * 1e6))


def test_the_sentence_comes_after_patience_again_later_and_when_it_is_over() -> None:
    """Promise: unreachable is said plainly and not in a flood; so is the return."""
    times, is_up = Times(), False
    told = Reachability(lambda: is_up, exchange="test", address="ws://x", clock=times.clock(), patience_s=2, again_s=60)
    assert told.look() is None
    times.now_s += 2
    first = told.look()
    assert first is not None
    assert "cannot be reached" in first
    times.now_s += 59
    assert told.look() is None
    times.now_s += 1
    assert told.look() == first
    is_up = True
    back = told.look()
    assert back is not None
    assert "reachable again" in back
    assert told.look() is None


def test_a_short_break_is_not_told() -> None:
    """Promise: a session that reconnects at once is no news."""
    times, is_up = Times(), True
    told = Reachability(lambda: is_up, exchange="test", address="ws://x", clock=times.clock(), patience_s=2)
    assert told.look() is None
    is_up = False
    assert told.look() is None
    times.now_s += 1
    assert told.look() is None
    is_up = True
    assert told.look() is None
