"""Every path out of hearing and back, in whatever order: the rarer ones by name, all of them by chance."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from __tests__.ingest.house import INDEX, OPTION
from cryptomarket.ingest.gaps import Known, Patience, Watch, Word
from cryptomarket.market.instruments import Instrument, Kind
from cryptomarket.market.ticks import FeedState, Gap, GapCause, OptionSummary, Status, Tick

T0 = 1_768_768_182_000


def tick_of(instrument: Instrument, after_ms: int = 0, *, price: str = "1.5", state: str | None = "open") -> Tick:
    summary = None if instrument.kind is Kind.INDEX else OptionSummary(state=state, last_price=Decimal(price))
    at_ms = T0 + after_ms
    return Tick(instrument.name, instrument.name, instrument.kind, Decimal(price), at_ms, at_ms * 1000, None, summary)


def watch_of(instrument: Instrument) -> Watch:
    return Watch(instrument, Patience(), now_s=0.0, now_ms=T0)


def heard(watch: Watch, tick: Tick, now_s: float = 0.0) -> list[Word]:
    return watch.heard(tick, now_s=now_s, now_ms=tick.received_us // 1000)[1]


def listening(instrument: Instrument) -> Watch:
    """One that has heard its first tick."""
    watch = watch_of(instrument)
    heard(watch, tick_of(instrument))
    return watch


def shown(words: list[Word]) -> list[str]:
    return [
        word.state.value if isinstance(word, Status) else "gap" if isinstance(word, Gap) else "tick" for word in words
    ]


BOTH = pytest.mark.parametrize("instrument", [INDEX, OPTION])


def test_a_break_before_any_data_is_no_gap() -> None:
    """There is nothing before it that it could begin with."""
    watch = watch_of(INDEX)
    assert shown(watch.broken(FeedState.DOWN, GapCause.DISCONNECT, now_ms=T0)) == ["down"]
    assert shown(heard(watch, tick_of(INDEX, 10))) == ["tick", "live"]


def test_another_owners_live_feed_is_down_until_it_is_heard_here() -> None:
    """What was said last is no longer true; any other state stands as it was told."""
    watch = watch_of(INDEX)
    told = Status("btc_usd", FeedState.LIVE, T0 - 5000, 0, "heard")
    assert shown(watch.take_over(told, now_ms=T0)) == ["down"]
    watch = watch_of(INDEX)
    told = Status("btc_usd", FeedState.HALTED, T0 - 5000, 0, "locked")
    assert watch.take_over(told, now_ms=T0) == []
    assert (watch.state, watch.since_ms) == (FeedState.HALTED, T0 - 5000)


def test_states_begin_in_the_order_in_which_they_are_told() -> None:
    """Whoever puts them in order by their time finds the last one last: behind an owner whose clock was ahead, behind
    one whose word reached the bus in an outage of ours, and where the clock is set back.
    """
    ahead = Status("btc_usd", FeedState.LIVE, T0 + 9000, 0, "heard")
    watch = watch_of(INDEX)
    watch.remember(Known(tick_of(INDEX), ahead, GapCause.DISCONNECT, said_ms=ahead.since_ms))
    words = watch.take_over(ahead, now_ms=T0) + heard(watch, tick_of(INDEX, 10))
    words += watch.maintenance(now_ms=T0 + 9500)
    assert shown(words) == ["down", "gap", "tick", "live", "maintenance"]
    assert [word.since_ms - T0 for word in words if isinstance(word, Status)] == [9000, 9000, 9500]
    assert isinstance(back := watch.told_state("halted", now_ms=T0)[0], Status)
    assert back.since_ms == T0 + 9500
    [made_up] = watch.make_up(Known(watch.last, ahead, GapCause.BUS, said_ms=T0 + 9900), now_ms=T0)
    assert isinstance(made_up, Status)
    assert (made_up.state, made_up.since_ms) == (FeedState.HALTED, T0 + 9900)


def test_an_answer_that_comes_after_a_loss_says_nothing() -> None:
    """A feed that went down while it was asked for stays down, for the reason it was told."""
    watch = listening(OPTION)
    watch.broken(FeedState.DOWN, GapCause.DISCONNECT, now_ms=T0)
    assert watch.asked(tick_of(OPTION, 9000, price="3"), now_s=31.0, now_ms=T0) == []
    assert (watch.state, watch.cause) == (FeedState.DOWN, GapCause.DISCONNECT)


def test_a_halt_ends_in_what_is_known() -> None:
    """Live when nothing was missed, stale when something was, unknown when nothing was ever heard."""
    watch = listening(INDEX)
    assert shown(watch.locked(True, now_ms=T0) + watch.locked(False, now_ms=T0)) == ["halted", "live"]
    watch.locked(True, now_ms=T0)
    watch.broken(FeedState.DOWN, GapCause.DISCONNECT, now_ms=T0)
    watch.locked(True, now_ms=T0)
    assert shown(watch.locked(False, now_ms=T0)) == ["stale"]
    fresh = watch_of(INDEX)
    assert shown(fresh.locked(True, now_ms=T0) + fresh.locked(False, now_ms=T0)) == ["halted", "unknown"]
    assert watch_of(INDEX).told_state("open", now_ms=T0) == []


def test_the_end_of_maintenance_is_not_yet_life() -> None:
    """Stale until heard; a feed that was back before, or never heard, is left as it is."""
    watch = listening(OPTION)
    assert watch.maintained(now_ms=T0) == []
    watch.broken(FeedState.MAINTENANCE, GapCause.MAINTENANCE, now_ms=T0)
    assert shown(watch.maintained(now_ms=T0)) == ["stale"]
    assert heard(watch, tick_of(OPTION, 10, price="2"))[0] == Gap(OPTION.name, T0, T0 + 10, GapCause.MAINTENANCE)
    fresh = watch_of(OPTION)
    fresh.broken(FeedState.MAINTENANCE, GapCause.MAINTENANCE, now_ms=T0)
    assert shown(fresh.maintained(now_ms=T0)) == ["unknown"]


steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["new", "new", "same_time"]), st.integers(1, 5000)),
        st.tuples(
            st.sampled_from(
                ["repeat", "echo", "lost", "maintenance", "maintained", "given_up", "refused", "denied", "silent",
                 "asked_newer", "asked_same", "halted", "open", "closed", "garbled"]
            ),
            st.just(0),
        ),
    ),
    max_size=60,
)  # fmt: skip


BREAKS = {
    "lost": (FeedState.DOWN, GapCause.DISCONNECT),
    "maintenance": (FeedState.MAINTENANCE, GapCause.MAINTENANCE),
    "given_up": (FeedState.UNKNOWN, GapCause.NOT_SUBSCRIBED),
}


class Hearing:
    """Plays steps on a watch, and knows by itself whether hearing was broken since the last published tick."""

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.watch = watch_of(instrument)
        self.words: list[Word] = []
        self.at_ms = 0
        self.broken_at: dict[int, GapCause] = {}
        self.ticks = 0
        self._count = 0

    def play(self, step: str, by_ms: int) -> None:
        """One step."""
        now_ms = T0 + self.at_ms
        if step in {"new", "same_time"}:
            self.at_ms += by_ms if step == "new" else 0
            self._count += 1
            self.words += heard(self.watch, tick_of(self.instrument, self.at_ms, price=str(self._count)))
            self.ticks += 1
        elif step in {"repeat", "echo", "asked_same"}:
            self._say_nothing_new(step, now_ms)
        elif step in {"halted", "open", "closed"}:
            self.words += self.watch.told_state(step, now_ms=now_ms)
        elif step == "maintained":
            self.words += self.watch.maintained(now_ms=now_ms)
        else:
            self._break_by(step, now_ms)

    def _say_nothing_new(self, step: str, now_ms: int) -> None:
        last = self.watch.last
        if last is None:
            return
        if step == "repeat":
            self.words += heard(self.watch, last)
            if self.instrument.kind is not Kind.INDEX:
                self.broken_at.pop(self.ticks, None)
        elif step == "echo":
            self.words += heard(self.watch, tick_of(self.instrument, self.at_ms - 1, price="7"))
        else:
            self.words += self.watch.asked(last, now_s=0.0, now_ms=now_ms)
            if self.instrument.kind is not Kind.INDEX and self.watch.state is FeedState.LIVE:
                self.broken_at.pop(self.ticks, None)

    def _break_by(self, step: str, now_ms: int) -> None:
        watch = self.watch
        is_live = watch.state is FeedState.LIVE
        if step in BREAKS:
            state, cause = BREAKS[step]
            self._break(cause, watch.broken(state, cause, now_ms=now_ms))
        elif step == "refused":
            self._break(GapCause.NOT_SUBSCRIBED, watch.refused(now_ms=now_ms))
        elif step == "denied":
            self._break(GapCause.NOT_SUBSCRIBED, watch.denied(now_ms=now_ms))
        elif step == "garbled":
            self._break(GapCause.MALFORMED, watch.garbled(now_ms=now_ms))
        elif step == "silent" and is_live:
            self._break(GapCause.SILENCE, watch.silent(now_ms=now_ms))
        elif step == "asked_newer" and is_live and self.instrument.kind is not Kind.INDEX:
            answer = tick_of(self.instrument, self.at_ms + 1, price="0.001")
            self._break(GapCause.SILENCE, watch.asked(answer, now_s=0.0, now_ms=now_ms))

    def _break(self, cause: GapCause, told: list[Word]) -> None:
        self.words += told
        if self.ticks:
            self.broken_at.setdefault(self.ticks, cause)


@BOTH
@given(steps=steps)
def test_every_break_between_two_ticks_is_one_gap(instrument: Instrument, steps: list[tuple[str, int]]) -> None:
    """Whatever happens in whatever order: between two published ticks there is exactly one gap that spans them when
    hearing was broken, and none when it was not; and no feed is called live before its first tick.
    """
    hearing = Hearing(instrument)
    for step, by_ms in steps:
        hearing.play(step, by_ms)
    before: Tick | None = None
    gaps: list[Gap] = []
    count = 0
    for word in hearing.words:
        if isinstance(word, Gap):
            gaps.append(word)
        elif isinstance(word, Status):
            assert word.state is not FeedState.LIVE or before is not None
            assert gaps == [], "a gap is followed by its tick"
        else:
            cause = hearing.broken_at.get(count)
            if before is None or cause is None or word.timestamp_ms == before.timestamp_ms:
                assert gaps == []
            else:
                assert gaps == [Gap(instrument.name, before.timestamp_ms, word.timestamp_ms, cause)]
            before, gaps, count = word, [], count + 1
    assert gaps == []
    assert count == hearing.ticks
