"""Which channels a session should hold, which it holds, and the next call that brings the two together. Pure.

A call takes at most 500 channels and a frame at most 32 kB; 500 long names are more than that
(docs.deribit.com/articles/market-data-collection-best-practices, docs.deribit.com/articles/errors).
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

MAX_CHANNELS = 500
MAX_FRAME_BYTES = 32_000
# What a request is around its channels: envelope, method and id, generously.
_ENVELOPE_BYTES = 200
# Two quotation marks and a comma.
_QUOTING_BYTES = 3

SUBSCRIBE = "public/subscribe"
UNSUBSCRIBE = "public/unsubscribe"
RAW = "raw"
SLOWER = "100ms"


def batches(
    channels: Iterable[str], *, max_channels: int = MAX_CHANNELS, max_bytes: int = MAX_FRAME_BYTES
) -> Iterator[list[str]]:
    """The channels in order, cut into lists that each fit one call. No list is empty, and none is left out: a name
    too long for any frame stands alone, and is the exchange's to refuse.
    """
    batch: list[str] = []
    size = _ENVELOPE_BYTES
    for channel in channels:
        cost = len(channel.encode()) + _QUOTING_BYTES
        if batch and (len(batch) >= max_channels or size + cost > max_bytes):
            yield batch
            batch, size = [], _ENVELOPE_BYTES
        batch.append(channel)
        size += cost
    if batch:
        yield batch


def slower(channel: str) -> str:
    """The channel that brings the same without a login: every 100 ms instead of each change."""
    head, dot, interval = channel.rpartition(".")
    return f"{head}.{SLOWER}" if dot and interval == RAW else channel


@dataclass(frozen=True, slots=True)
class Call:
    """A call to make: its method, and its channels in the exchange's spelling."""

    method: str
    channels: tuple[str, ...]


class Channels:
    """Wanted against held, for one session.

    Channels go by the name under which they were asked for. Where the exchange has refused raw ones, each is held at
    100 ms instead, still under the asked name. A channel that was taken out is given up even when it is asked for
    again at once: whoever does so wants it anew.
    """

    def __init__(self) -> None:
        self._wanted: frozenset[str] = frozenset()
        self._held: dict[str, str] = {}
        self._refused: set[str] = set()
        self._put_off: set[str] = set()
        self._given_up: set[str] = set()
        self._aliases: dict[str, str] = {}
        self._raw_refused = False

    @property
    def held(self) -> tuple[str, ...]:
        """What is held, by asked name."""
        return tuple(self._held.values())

    @property
    def held_raw(self) -> bool:
        """Whether a raw channel is held, which proves that the login counts."""
        return any(channel.endswith(f".{RAW}") for channel in self._held)

    def asked_name(self, channel: str) -> str:
        """The name under which news on a channel of the exchange is told."""
        return self._aliases.get(channel, channel) if self._aliases else channel

    def want(self, channels: Collection[str]) -> tuple[str, ...]:
        """From now on exactly these are wanted. Returns those that turn out to be held already, under another name."""
        self._wanted = frozenset(channels)
        spoken = self._spoken_wanted()
        self._refused &= spoken.keys()
        self._put_off &= spoken.keys()
        self._given_up |= self._held.keys() - spoken.keys()
        renamed = []
        for channel, name in spoken.items():
            if channel in self._held and channel not in self._given_up and self._held[channel] not in self._wanted:
                self._hold(channel, name)
                renamed.append(name)
        return tuple(renamed)

    def next_call(self) -> Call | None:
        """The next call towards what is wanted, None when nothing is left to do. Giving up comes first."""
        for batch in batches(sorted(self._given_up)):
            return Call(UNSUBSCRIBE, tuple(batch))
        missing = self._spoken_wanted().keys() - self._held.keys() - self._refused - self._put_off
        for batch in batches(sorted(missing)):
            return Call(SUBSCRIBE, tuple(batch))
        return None

    def unsubscribed(self, call: Call) -> None:
        """The exchange has answered an unsubscribe call; whatever it left out of its answer is not held either."""
        for channel in call.channels:
            self._given_up.discard(channel)
            self._held.pop(channel, None)
            self._aliases.pop(channel, None)

    def subscribed(self, call: Call, accepted: Collection[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The exchange has accepted these channels of a subscribe call. Returns (held, refused) by asked name.

        What is missing from its answer does not exist; it is not asked for again while it stays wanted.
        """
        taken = frozenset(accepted)
        spoken = self._spoken_wanted()
        held, refused = [], []
        for channel in call.channels:
            name = spoken.get(channel, channel)
            if channel in taken:
                self._hold(channel, name)
                held.append(name)
                if channel not in spoken:
                    self._given_up.add(channel)
            else:
                self._refused.add(channel)
                refused.append(name)
        return tuple(held), tuple(refused)

    @property
    def has_put_off(self) -> bool:
        """Whether something waits for another attempt."""
        return bool(self._put_off)

    def put_off(self, call: Call) -> tuple[str, ...]:
        """The exchange has refused a subscribe call for a reason that says nothing of its channels: they wait for
        `take_up`. Returns those that are still wanted, by asked name.
        """
        spoken = self._spoken_wanted()
        waiting = [channel for channel in call.channels if channel in spoken]
        self._put_off.update(waiting)
        return tuple(spoken[channel] for channel in waiting)

    def take_up(self) -> None:
        """What was put off is asked for again."""
        self._put_off.clear()

    def raw_refused(self) -> None:
        """The exchange gives no raw channels here: their slower brothers take their places."""
        self._raw_refused = True

    def lost(self) -> tuple[str, ...]:
        """The connection is gone, and everything held with it. Returns that, by asked name; what is wanted stays."""
        held = self.held
        self._held.clear()
        self._refused.clear()
        self._put_off.clear()
        self._given_up.clear()
        self._aliases.clear()
        self._raw_refused = False
        return held

    def _hold(self, channel: str, name: str) -> None:
        self._held[channel] = name
        if name == channel:
            self._aliases.pop(channel, None)
        else:
            self._aliases[channel] = name

    def _spoken(self, name: str) -> str:
        return slower(name) if self._raw_refused else name

    def _spoken_wanted(self) -> dict[str, str]:
        spoken = {self._spoken(name): name for name in self._wanted}
        if self._raw_refused:
            # Asked for both ways, the name that the exchange uses too is the better one.
            spoken.update((name, name) for name in self._wanted if name in spoken)
        return spoken
