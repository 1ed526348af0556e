"""What is said of one ticker's feed: no break in hearing goes untold, and nothing is live before there is data."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryptomarket.ingest.gaps import Known, Patience, Verdict, Watch, Word
from cryptomarket.market.instruments import Instrument, Kind
from cryptomarket.market.ticks import FeedState, Gap, GapCause, PerpetualSummary, Status, Tick

INDEX = Instrument("btc_usd", Kind.INDEX)
PERPETUAL = Instrument("BTC-PERPETUAL", Kind.PERPETUAL)
PATIENCE = Patience(5.0, 30.0)


def _tick(instrument: Instrument, timestamp_ms: int, *, price: int = 1, state: str = "open") -> Tick:
    summary = None if instrument.kind is Kind.INDEX else PerpetualSummary(state=state)
    return Tick(
        instrument.name,
        instrument.name,
        instrument.kind,
        Decimal(price),
        timestamp_ms,
        timestamp_ms * 1000,
        None,
        summary,
    )


def _watch(instrument: Instrument = INDEX) -> Watch:
    return Watch(instrument, PATIENCE, now_s=0.0, now_ms=0)


def _hear(watch: Watch, tick: Tick, *, at_s: float | None = None) -> list[Word]:
    now_s = tick.timestamp_ms / 1000 if at_s is None else at_s
    return watch.heard(tick, now_s=now_s, now_ms=round(now_s * 1000))[1]


def _states(words: list[Word]) -> list[FeedState]:
    return [word.state for word in words if isinstance(word, Status)]


def test_before_any_data_it_is_unknown_and_the_first_tick_makes_it_live() -> None:
    """Promise: no data yet is `unknown`, never `live`; the tick comes before the status that calls it live."""
    watch = _watch()
    assert watch.state is FeedState.UNKNOWN
    words = _hear(watch, _tick(INDEX, 1000))
    assert [type(word) for word in words] == [Tick, Status]
    assert _states(words) == [FeedState.LIVE]
    assert _hear(watch, _tick(INDEX, 2000)) == [_tick(INDEX, 2000)]


def test_a_repeat_and_an_echo_are_not_said_again() -> None:
    """Promise: exact repeats and ticks below the latest are dropped and counted."""
    watch = _watch()
    _hear(watch, _tick(INDEX, 2000))
    later = _tick(INDEX, 2000)._replace(received_us=9)
    assert watch.heard(later, now_s=3, now_ms=3000) == (Verdict.REPEAT, [])
    assert watch.heard(_tick(INDEX, 1000), now_s=3, now_ms=3000)[0] is Verdict.ECHO
    assert (watch.repeats, watch.echoes) == (1, 1)


def test_another_content_in_the_same_millisecond_is_a_tick() -> None:
    """Promise: nothing new is dropped."""
    watch = _watch()
    _hear(watch, _tick(INDEX, 1000, price=1))
    assert _hear(watch, _tick(INDEX, 1000, price=2)) == [_tick(INDEX, 1000, price=2)]


@pytest.mark.parametrize(
    ("state", "cause"), [(FeedState.DOWN, GapCause.DISCONNECT), (FeedState.UNKNOWN, GapCause.NOT_SUBSCRIBED)]
)
def test_a_break_is_a_status_and_then_a_gap_to_the_first_new_tick(state: FeedState, cause: GapCause) -> None:
    """Promise: from the exchange time of the last tick to the first new one; until then a status tells."""
    watch = _watch()
    _hear(watch, _tick(INDEX, 1000))
    words = watch.broken(state, cause, now_ms=1500)
    assert _states(words) == [state]
    back = _hear(watch, _tick(INDEX, 9000))
    assert back[0] == Gap("btc_usd", 1000, 9000, cause)
    assert back[1] == _tick(INDEX, 9000)
    assert _states(back) == [FeedState.LIVE]
    assert _hear(watch, _tick(INDEX, 10_000)) == [_tick(INDEX, 10_000)]


def test_of_several_breaks_the_first_names_the_gap() -> None:
    """Promise: one gap for one time of not hearing."""
    watch = _watch()
    _hear(watch, _tick(INDEX, 1000))
    watch.broken(FeedState.STALE, GapCause.SILENCE, now_ms=7000)
    watch.broken(FeedState.DOWN, GapCause.DISCONNECT, now_ms=8000)
    gaps = [word for word in _hear(watch, _tick(INDEX, 9000)) if isinstance(word, Gap)]
    assert gaps == [Gap("btc_usd", 1000, 9000, GapCause.SILENCE)]


def test_after_a_start_the_gap_begins_at_the_last_stored_tick() -> None:
    """Promise: `restart` from the last stored tick to the first new one."""
    watch = _watch()
    watch.remember(Known(_tick(INDEX, 1000), None, GapCause.RESTART))
    assert _hear(watch, _tick(INDEX, 5000))[0] == Gap("btc_usd", 1000, 5000, GapCause.RESTART)


def test_an_instruments_unchanged_word_proves_that_nothing_was_missed() -> None:
    """Promise: sent on change only, so the same word after a break ends it without a gap."""
    watch = _watch(PERPETUAL)
    _hear(watch, _tick(PERPETUAL, 1000))
    watch.broken(FeedState.DOWN, GapCause.DISCONNECT, now_ms=2000)
    words = _hear(watch, _tick(PERPETUAL, 1000), at_s=3)
    assert _states(words) == [FeedState.LIVE]
    assert not [word for word in words if isinstance(word, Gap | Tick)]
    assert _hear(watch, _tick(PERPETUAL, 4000)) == [_tick(PERPETUAL, 4000)]


def test_an_indexs_old_word_proves_nothing() -> None:
    """Promise: an index speaks every second; only a newer tick ends its break, with a gap."""
    watch = _watch()
    _hear(watch, _tick(INDEX, 1000))
    watch.broken(FeedState.DOWN, GapCause.DISCONNECT, now_ms=2000)
    assert _hear(watch, _tick(INDEX, 1000), at_s=3) == []
    assert watch.state is FeedState.DOWN


@pytest.mark.parametrize(("instrument", "patience_s"), [(INDEX, 5.0), (PERPETUAL, 30.0)])
def test_silence_is_noticed_after_the_patience_of_its_kind(instrument: Instrument, patience_s: float) -> None:
    """Promise: an index without a tick for 5 s; an instrument after 30 s of silence."""
    watch = _watch(instrument)
    _hear(watch, _tick(instrument, 1000))
    assert not watch.is_silent(1.0 + patience_s)
    assert watch.is_silent(1.1 + patience_s)


def test_a_silent_instrument_that_has_nothing_new_is_live_with_its_age() -> None:
    """Promise: asked for, and unchanged: it is only old, and is not asked again at once."""
    watch = _watch(PERPETUAL)
    _hear(watch, _tick(PERPETUAL, 1000))
    assert watch.asked(_tick(PERPETUAL, 1000), now_s=40, now_ms=40_000) == []
    assert watch.state is FeedState.LIVE
    assert not watch.is_silent(60)


def test_a_silent_instrument_that_has_changed_is_stale_and_then_a_gap() -> None:
    """Promise: a newer exchange timestamp with other content means that the channel has failed us."""
    watch = _watch(PERPETUAL)
    _hear(watch, _tick(PERPETUAL, 1000))
    words = watch.asked(_tick(PERPETUAL, 9000, price=2), now_s=40, now_ms=40_000)
    assert _states(words) == [FeedState.STALE]
    assert _hear(watch, _tick(PERPETUAL, 41_000, price=3))[0] == Gap("BTC-PERPETUAL", 1000, 41_000, GapCause.SILENCE)


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ("halted", FeedState.HALTED),
        ("locked", FeedState.HALTED),
        ("delivered", FeedState.EXPIRED),
        ("open", FeedState.LIVE),
    ],
)
def test_what_the_exchange_says_of_its_instrument_is_the_feeds_state(told: str, state: FeedState) -> None:
    """Promise: halted and expired are told, by the ticker itself as by the channel of states."""
    watch = _watch(PERPETUAL)
    _hear(watch, _tick(PERPETUAL, 1000))
    _hear(watch, _tick(PERPETUAL, 2000, state=told))
    assert watch.state is state
    watch = _watch(PERPETUAL)
    _hear(watch, _tick(PERPETUAL, 1000))
    watch.told_state(told, now_ms=2000)
    assert watch.state is state


def test_a_lock_that_is_taken_off_lets_it_be_live_again() -> None:
    """Promise: an index that was locked is halted, and live when it is not."""
    watch = _watch()
    _hear(watch, _tick(INDEX, 1000))
    assert _states(watch.locked(True, now_ms=1500)) == [FeedState.HALTED]
    assert _states(watch.locked(False, now_ms=1600)) == [FeedState.LIVE]


def test_a_refused_ticker_is_told_also_where_nothing_was_known() -> None:
    """Promise: an unknown ticker is told to the user; an index has no life that could be over."""
    assert [word.reason for word in _watch().refused(now_ms=1) if isinstance(word, Status)] == ["unknown_ticker"]
    watch = _watch()
    _hear(watch, _tick(INDEX, 1000))
    assert _states(watch.refused(now_ms=2000)) == [FeedState.UNKNOWN]


@given(
    st.sampled_from([INDEX, PERPETUAL]),
    st.lists(st.sampled_from(["tick", "repeat", "echo", "down", "silent", "dropped"]), max_size=40),
)
def test_between_two_ticks_that_a_break_parts_there_is_exactly_one_gap_that_spans_them(
    instrument: Instrument, steps: list[str]
) -> None:
    """Promise: whatever happens, in whatever order, no break goes untold and none is told twice."""
    watch, said, at_ms, price, is_broken, is_proven = _watch(instrument), list[Word](), 1000, 1, False, True
    breaks = {
        "down": (FeedState.DOWN, GapCause.DISCONNECT),
        "silent": (FeedState.STALE, GapCause.SILENCE),
        "dropped": (FeedState.UNKNOWN, GapCause.NOT_SUBSCRIBED),
    }
    expected: list[tuple[int, int]] = []
    last_ms: int | None = None
    for step in steps:
        at_ms += 1000
        if step == "tick":
            price += 1
            if last_ms is not None and is_broken:
                expected.append((last_ms, at_ms))
            said += _hear(watch, _tick(instrument, at_ms, price=price))
            last_ms, is_broken = at_ms, False
        elif step == "repeat" and last_ms is not None:
            said += _hear(watch, _tick(instrument, last_ms, price=price), at_s=at_ms / 1000)
            is_proven = instrument.kind is not Kind.INDEX
            is_broken = is_broken and not is_proven
        elif step == "echo" and last_ms is not None:
            said += _hear(watch, _tick(instrument, last_ms - 1), at_s=at_ms / 1000)
        elif step in breaks:
            said += watch.broken(*breaks[step], now_ms=at_ms)
            is_broken = last_ms is not None
    assert [(word.from_ms, word.to_ms) for word in said if isinstance(word, Gap)] == expected
    for word in said:
        if isinstance(word, Status) and word.state is FeedState.LIVE:
            assert any(isinstance(earlier, Tick) for earlier in said[: said.index(word)])
