"""What was heard of one ticker, and what was not: ticks, feed states and gaps. Pure; time is an argument.

Every path out of hearing ends the same way: the next tick that tells something new is preceded by the `Gap` from the
last known tick to it, and followed by the status that says the feed is live again. Until then a status tells.
"""

from dataclasses import dataclass
from enum import StrEnum

from cryptomarket.deribit.mapping import feed_state_of
from cryptomarket.market.instruments import Instrument, Kind
from cryptomarket.market.ticks import FeedState, Gap, GapCause, Status, Tick

Word = Tick | Status | Gap

UNKNOWN_TICKER = "unknown_ticker"
DENIED = "denied"
CLOCK = "clock"
_HEARING = (FeedState.LIVE, FeedState.STALE, FeedState.DOWN)
_UNPROVEN = (FeedState.STALE, FeedState.DOWN, FeedState.MAINTENANCE)


@dataclass(frozen=True, slots=True)
class Known:
    """What others know of a ticker: its last tick that was logged or stored, the last status that was told in this
    epoch, and why nothing was heard since then. Without a last tick, `since_ms` is the exchange time of the first one
    that was ever heard here: it may still be on its way to the store. `said_ms` is since when the last status held that
    anybody has told, in this epoch or before it.
    """

    last: Tick | None
    told: Status | None
    cause: GapCause
    since_ms: int | None = None
    said_ms: int = 0


class Verdict(StrEnum):
    """What became of a tick that was heard."""

    NEW = "new"
    REPEAT = "repeat"
    ECHO = "echo"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a feed may be silent: an index sends every second, an instrument only when something changes."""

    index_s: float = 5.0
    instrument_s: float = 30.0

    def of(self, kind: Kind) -> float:
        """Seconds of silence after which something is done for an instrument of `kind`."""
        return self.index_s if kind is Kind.INDEX else self.instrument_s


class Watch:
    """What is known of one ticker's feed.

    `last` is the last tick that was heard, or logged or stored before; `cause` says why hearing has been broken since,
    if it has. `before` is the tick that came right before `last`, None when something may have been missed in between.
    Methods take the monotonic second `now_s` and the wall clock's `now_ms`, and return what is to be said, in order.
    """

    def __init__(self, instrument: Instrument, patience: Patience, *, now_s: float, now_ms: int) -> None:
        self.instrument = instrument
        self.ticker = instrument.name
        self.state = FeedState.UNKNOWN
        self.since_ms = now_ms
        self.reason: str | None = None
        self.last: Tick | None = None
        self.before: Tick | None = None
        self.first_ms: int | None = None
        self._missing_since_ms: int | None = None
        self.cause: GapCause | None = None
        self.repeats = 0
        self.echoes = 0
        self._patience_s = patience.of(instrument.kind)
        self._quiet_since_s = now_s
        self._echoing_since_s: float | None = None
        self.in_maintenance = False

    def remember(self, known: Known) -> None:
        """Begins with what was last stored or logged: until a new tick, everything since is unknown."""
        self._missing_since_ms = known.since_ms
        self.since_ms = max(self.since_ms, known.said_ms)
        if known.last is not None:
            self.last, self.cause = known.last, known.cause

    def take_over(self, told: Status, *, now_ms: int) -> list[Word]:
        """Begins with what was last said of the feed, by an owner who hears it no longer."""
        self.state, self.since_ms, self.reason = told.state, told.since_ms, told.reason
        return self._say(FeedState.DOWN, "takeover", now_ms) if told.state is FeedState.LIVE else []

    def now(self, *, now_ms: int) -> Status:
        """The feed as it is, said again."""
        age_ms = max(0, now_ms - self.last.received_us // 1000) if self.last is not None else None
        return Status(self.ticker, self.state, self.since_ms, age_ms, self.reason)

    def make_up(self, known: Known, *, now_ms: int) -> list[Word]:
        """What is to be said after a time in which nothing could be published: the newest tick, the gap before it
        unless it follows directly on what is known, and the state.
        """
        base, words = known.last, list[Word]()
        if base is not None and (self.last is None or base.timestamp_ms > self.last.timestamp_ms):
            self.last, self.before = base, None
            self._break(known.cause)
        elif self.last is not None and (base is None or not base.says_the_same(self.last)):
            if base is not None and base.timestamp_ms < self.last.timestamp_ms and not self._follows(base):
                words.append(Gap(self.ticker, base.timestamp_ms, self.last.timestamp_ms, GapCause.BUS))
            elif base is None:
                words += self._missed_before(known.since_ms, self.last)
            words.append(self.last)
        is_told = known.told is not None and known.told.state is self.state
        if known.told is None:
            is_told = self.state is FeedState.UNKNOWN and self.reason is None
        elif self.state is not FeedState.LIVE:
            is_told = is_told and known.told.reason == self.reason
        if is_told:
            return words
        self.since_ms = max(self.since_ms, known.said_ms)
        return [*words, self.now(now_ms=now_ms)]

    def _missed_before(self, since_ms: int | None, tick: Tick) -> list[Word]:
        """Nothing is known of the ticker, and yet it was heard: what was said of it may be lost."""
        if since_ms is None or since_ms >= tick.timestamp_ms:
            return []
        return [Gap(self.ticker, since_ms, tick.timestamp_ms, GapCause.BUS)]

    def _follows(self, base: Tick) -> bool:
        return self.before is not None and self.before.says_the_same(base)

    def _say(self, state: FeedState, reason: str | None, now_ms: int) -> list[Word]:
        if self.in_maintenance and state in _HEARING:
            # Whatever is heard meanwhile, the exchange has said that it can't be counted on.
            state, reason = FeedState.MAINTENANCE, GapCause.MAINTENANCE.value
        if state is self.state and (state is FeedState.LIVE or reason == self.reason):
            return []
        if state is not self.state:
            # A clock may be set back, and that of the process before may have been ahead: states begin in the order in
            # which they are told.
            self.since_ms = max(now_ms, self.since_ms)
        self.state = state
        self.reason = reason
        return [self.now(now_ms=now_ms)]

    def heard(self, tick: Tick, *, now_s: float, now_ms: int) -> tuple[Verdict, list[Word]]:
        """A tick came on the channel."""
        last = self.last
        if last is not None and tick.timestamp_ms < last.timestamp_ms:
            self.echoes += 1
            return Verdict.ECHO, self._echoed(now_s, now_ms)
        self._quiet_since_s = now_s
        self._echoing_since_s = None
        if last is not None and tick.says_the_same(last):
            self.repeats += 1
            return Verdict.REPEAT, self._heard_the_same(tick, now_ms)
        words: list[Word] = []
        if last is not None and self.cause is not None and tick.timestamp_ms > last.timestamp_ms:
            words.append(Gap(self.ticker, last.timestamp_ms, tick.timestamp_ms, self.cause))
        elif last is None:
            words += self._missed_before(self._missing_since_ms, tick)
        if self.first_ms is None:
            self.first_ms = tick.timestamp_ms
        self.before = last if self.cause is None else None
        self.cause = None
        self.last = tick
        # The tick comes first: a feed is not called live before there is data.
        return Verdict.NEW, [*words, tick, *self._say(self._state_told_by(tick), "heard" if words else None, now_ms)]

    def _echoed(self, now_s: float, now_ms: int) -> list[Word]:
        # One echo is a matter of order; nothing else for so long is one of clocks.
        if self._echoing_since_s is None:
            self._echoing_since_s = now_s
        if self.state is not FeedState.LIVE or now_s - self._echoing_since_s <= self._patience_s:
            return []
        self._break(GapCause.SILENCE)
        return self._say(FeedState.STALE, CLOCK, now_ms)

    def _break(self, cause: GapCause) -> None:
        if self.last is not None and self.cause is None:
            self.cause = GapCause.MAINTENANCE if self.in_maintenance else cause

    def _heard_the_same(self, tick: Tick, now_ms: int) -> list[Word]:
        # An instrument is sent whole on subscribing and then on change, so its unchanged word proves that nothing was
        # missed. An index speaks every second: its old word proves nothing.
        if self.instrument.kind is Kind.INDEX:
            return []
        self.cause = None
        return self._say(self._state_told_by(tick), "unchanged", now_ms)

    def _state_told_by(self, tick: Tick) -> FeedState:
        if tick.summary is None or tick.summary.state is None:
            return FeedState.LIVE
        return feed_state_of(tick.summary.state) or FeedState.LIVE

    def told_state(self, state: str, *, now_ms: int) -> list[Word]:
        """The exchange says that the instrument is in `state` (channel instrument.state)."""
        told = feed_state_of(state)
        if told is not None and told is not FeedState.LIVE:
            return self._say(told, state, now_ms)
        if self.state is FeedState.HALTED:
            return self._say(self._state_without_halt(), state, now_ms)
        return []

    def _state_without_halt(self) -> FeedState:
        if self.last is None:
            return FeedState.UNKNOWN
        return FeedState.LIVE if self.cause is None else FeedState.STALE

    def locked(self, locked: bool, *, now_ms: int) -> list[Word]:
        """The exchange says that the index is locked, or no longer (channel platform_state)."""
        return self.told_state("locked" if locked else "open", now_ms=now_ms)

    def broken(self, state: FeedState, cause: GapCause, *, now_ms: int) -> list[Word]:
        """Hearing has ended: the session was lost, the exchange is in maintenance, or the channel was given up."""
        self._break(cause)
        return self._say(state, cause.value, now_ms)

    def garbled(self, *, now_ms: int) -> list[Word]:
        """Something came that can't be read: what it said is missed."""
        if self.last is None:
            return []
        self._break(GapCause.MALFORMED)
        return self._say(FeedState.STALE, GapCause.MALFORMED.value, now_ms) if self.state is FeedState.LIVE else []

    def rest(self) -> None:
        """The channel is given up for a moment, to be subscribed anew."""
        self._break(GapCause.NOT_SUBSCRIBED)

    def refused(self, *, now_ms: int) -> list[Word]:
        """The exchange does not know the channel."""
        if self.last is not None and self.cause is None:
            self.cause = GapCause.NOT_SUBSCRIBED
        # Only what has a life can be at its end, and an index has none.
        ended = self.last is not None and self.instrument.kind is not Kind.INDEX
        return self._say(FeedState.EXPIRED if ended else FeedState.UNKNOWN, UNKNOWN_TICKER, now_ms)

    def denied(self, *, now_ms: int) -> list[Word]:
        """The exchange does not give the channel now."""
        self._break(GapCause.NOT_SUBSCRIBED)
        return self._say(FeedState.DOWN, DENIED, now_ms)

    def is_silent(self, now_s: float) -> bool:
        """Whether a feed that should speak has been silent for longer than its patience."""
        listening = self.state is FeedState.LIVE or (self.in_maintenance and self.state is FeedState.MAINTENANCE)
        return listening and now_s - self._quiet_since_s > self._patience_s

    def wants_proof(self, now_s: float) -> bool:
        """Whether an instrument that is not live has been silent for so long that it may just be unchanged."""
        return self.state in _UNPROVEN and self.last is not None and now_s - self._quiet_since_s > self._patience_s

    def maintenance(self, *, now_ms: int) -> list[Word]:
        """The exchange's maintenance begins. What its channels still bring is heard, so nothing is missed yet."""
        self.in_maintenance = True
        return self._say(FeedState.MAINTENANCE, GapCause.MAINTENANCE.value, now_ms)

    def maintained(self, *, now_ms: int) -> list[Word]:
        """The exchange's maintenance is over. What it has to say is not known before it is heard."""
        self.in_maintenance = False
        if self.state is not FeedState.MAINTENANCE:
            return []
        state = FeedState.STALE if self.last is not None else FeedState.UNKNOWN
        return self._say(state, GapCause.MAINTENANCE.value, now_ms)

    def silent(self, *, now_ms: int) -> list[Word]:
        """An index has said nothing for too long."""
        self._break(GapCause.SILENCE)
        reason = GapCause.SILENCE.value if self._echoing_since_s is None else CLOCK
        return self._say(FeedState.STALE, reason, now_ms)

    def asked(self, answer: Tick, *, now_s: float, now_ms: int) -> list[Word]:
        """A silent instrument's ticker was asked for. Something newer than we know means that the channel has failed
        us: it is stale. Otherwise it is live, and only old. One that is not live is live again when its answer
        is the very word that we know: nothing was missed.
        """
        last = self.last
        if self.state is not FeedState.LIVE and self.state not in _UNPROVEN:
            return []
        self._quiet_since_s = now_s
        if self.state in _UNPROVEN:
            if last is None or not answer.says_the_same(last):
                return []
            return self._heard_the_same(answer, now_ms)
        if last is None or answer.timestamp_ms <= last.timestamp_ms or _same_content(answer, last):
            return []
        return self.broken(FeedState.STALE, GapCause.SILENCE, now_ms=now_ms)


def _same_content(one: Tick, other: Tick) -> bool:
    return one.price == other.price and one.summary == other.summary
