"""What waits to be published: in order, bounded, and no loss untold."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from cryptomarket.ingest.gaps import Word
from cryptomarket.ingest.outbox import Outbox
from cryptomarket.market.instruments import Kind
from cryptomarket.market.ticks import FeedState, Gap, GapCause, Status, Tick


def _tick(ticker: str, timestamp_ms: int) -> Tick:
    return Tick(ticker, ticker, Kind.INDEX, Decimal(timestamp_ms), timestamp_ms, timestamp_ms * 1000)


def test_below_its_bound_it_is_a_list() -> None:
    """Promise: what was heard leaves in the order of hearing, with its slot."""
    outbox = Outbox(100)
    words: list[Word] = [_tick("a", 1), _tick("b", 1), Status("a", FeedState.STALE, 5), _tick("a", 2)]
    for at, word in enumerate(words):
        outbox.put(at, [word])
    assert outbox.drain() == list(enumerate(words))
    assert outbox.drain() == []
    assert len(outbox) == 0


def test_beyond_its_bound_the_newest_tick_stays_and_the_loss_is_a_gap() -> None:
    """Promise: latest per ticker while the bus is away, and a gap on return."""
    outbox = Outbox(2)
    for timestamp_ms in (1, 2, 3, 4, 5):
        outbox.put(0, [_tick("a", timestamp_ms)])
    words = [word for _, word in outbox.drain()]
    assert words[0] == _tick("a", 1)
    assert words[-2:] == [Gap("a", 1, 5, GapCause.BUS), _tick("a", 5)]
    assert outbox.given_up == 3


def test_a_tick_that_is_given_up_lies_behind_what_was_known_before_it() -> None:
    """Promise: also the first one here, where the tick before it was heard or logged by another life."""
    outbox = Outbox(1)
    outbox.put(0, [_tick("a", 2)], before_ms=1)
    outbox.put(0, [_tick("a", 3)], before_ms=2)
    assert [word for _, word in outbox.drain()] == [Gap("a", 1, 3, GapCause.BUS), _tick("a", 3)]


def test_what_is_forgotten_never_leaves() -> None:
    """Promise: ticks of a slot that is another's are not published."""
    outbox = Outbox(10)
    outbox.put(0, [_tick("a", 1)])
    outbox.put(1, [_tick("b", 1)])
    outbox.forget(["a"])
    assert outbox.drain() == [(1, _tick("b", 1))]


@given(st.integers(1, 6), st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=60))
def test_no_tick_is_missing_without_a_gap_that_spans_it(bound: int, steps: list[tuple[str, bool]]) -> None:
    """Promise: however long the bus is away, each tick is there or lies within a gap; and the box is bounded."""
    outbox, heard, left = Outbox(bound), {"a": 0, "b": 0, "c": 0}, list[object]()
    for ticker, drains in steps:
        heard[ticker] += 1
        outbox.put(0, [_tick(ticker, heard[ticker])])
        assert len(outbox) <= bound + 6
        if drains:
            left += [word for _, word in outbox.drain()]
    left += [word for _, word in outbox.drain()]
    for ticker, last_ms in heard.items():
        told = [word.timestamp_ms for word in left if isinstance(word, Tick) and word.ticker == ticker]
        gaps = [word for word in left if isinstance(word, Gap) and word.ticker == ticker]
        assert told == sorted(set(told))
        assert not last_ms or told[-1] == last_ms
        for missing_ms in set(range(1, last_ms + 1)) - set(told):
            before_all = not any(at < missing_ms for at in told)
            assert before_all or any(gap.from_ms < missing_ms < gap.to_ms for gap in gaps)
