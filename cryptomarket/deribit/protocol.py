"""One JSON-RPC conversation with the exchange. Does no I/O and reads no clock.

Whoever owns a socket hands in what was read and what time it is, and gets events and frames to write.
Sources: docs.deribit.com/articles/json-rpc-overview,
docs.deribit.com/api-reference/session-management/public-set_heartbeat
"""

import re
from itertools import count

import msgspec

from cryptomarket.deribit.errors import failure_of
from cryptomarket.deribit.messages import (
    Beat,
    Event,
    Failure,
    Frame,
    Notice,
    Reply,
    Request,
    Silence,
    Unreadable,
    WireReason,
)
from cryptomarket.errors import ExchangeUnavailable

# The exchange beats once per interval, or asks; two missed beats and a half are no accident.
SILENT_INTERVALS = 2.5

# The name of a channel in a frame that can't be read.
_CHANNEL = re.compile(rb'"channel"\s*:\s*"([\x21\x23-\x5b\x5d-\x7e]{1,200})"')

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Frame)
_reason_decoder = msgspec.json.Decoder(WireReason)


class Conversation:
    """Asks, hears, and keeps the deadlines. Times are seconds of one clock that only goes forward.

    It answers each `test_request` by itself: the answer is then among `to_send`. Answers may come in any order, and an
    answer that comes after its deadline is left out.
    """

    def __init__(self, *, heartbeat_s: int, now: float, silent_intervals: float = SILENT_INTERVALS) -> None:
        self._heartbeat_s = heartbeat_s
        self._silent_s = silent_intervals * heartbeat_s
        self._ids = count(1)
        self._asked: dict[int, tuple[str, float]] = {}
        self._outgoing: list[bytes] = []
        self._heard_at = now
        self.strays = 0

    def begin(self, *, client_name: str, client_version: str, now: float, timeout_s: float) -> tuple[int, int]:
        """Introduces us and asks for heartbeats, as each connection begins. Returns the ids of both questions."""
        who: dict[str, object] = {"client_name": client_name, "client_version": client_version}
        return (
            self.ask("public/hello", who, now=now, timeout_s=timeout_s),
            self.ask("public/set_heartbeat", {"interval": self._heartbeat_s}, now=now, timeout_s=timeout_s),
        )

    def ask(self, method: str, params: dict[str, object], *, now: float, timeout_s: float) -> int:
        """Puts a question; its id comes back in the Reply or the Failure that ends it, at most `timeout_s` later."""
        number = next(self._ids)
        self._asked[number] = (method, now + timeout_s)
        self._outgoing.append(_encoder.encode(Request(number, method, params)))
        return number

    def hear(self, text: bytes, *, now: float) -> list[Event]:
        """What one frame means. A frame that can't be read is an event too, and nothing is raised."""
        self._heard_at = now
        try:
            frame = _decoder.decode(text)
        except msgspec.DecodeError as error:
            named = _CHANNEL.search(text)
            return [Unreadable(str(error), named[1].decode() if named is not None else None, may_be_news=True)]
        params = frame.params
        if frame.method == "subscription" and params is not None:
            if params.channel and params.data:
                return [Notice(params.channel, params.data)]
            reason = "a notification without a channel or without data"
            return [Unreadable(reason, params.channel or None, may_be_news=True)]
        if frame.method == "heartbeat" and params is not None:
            return [self._beat(params.type)]
        if frame.method:
            return [Unreadable(f"a call of {frame.method[:64]!r}, which the exchange doesn't make")]
        return self._answer(frame)

    def _beat(self, kind: str) -> Beat:
        asked = kind == "test_request"
        if asked:
            # No deadline of its own: when nothing comes back, silence tells.
            self._outgoing.append(_encoder.encode(Request(next(self._ids), "public/test", {})))
        return Beat(asked)

    def _answer(self, frame: Frame) -> list[Event]:
        number = frame.id if isinstance(frame.id, int) else None
        known = None if number is None else self._asked.pop(number, None)
        if frame.error is not None:
            method = "" if known is None else known[0]
            failed = None if known is None else number
            error = frame.error
            return [Failure(failed, method, failure_of(error.code, error.message, method, _reason_of(error.data)))]
        if not frame.result:
            return [Unreadable("neither an answer nor a notification")]
        if known is None or number is None:
            # The answer to a heartbeat's test, or one that comes too late.
            self.strays += 1
            return []
        return [Reply(number, known[0], frame.result, frame.us_out)]

    def to_send(self) -> list[bytes]:
        """The frames to write now, in order. Each is given out once."""
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    @property
    def has_to_send(self) -> bool:
        """Whether there is something to write."""
        return bool(self._outgoing)

    @property
    def unanswered(self) -> int:
        """How many questions are under way."""
        return len(self._asked)

    @property
    def _silent_at(self) -> float:
        return self._heard_at + self._silent_s

    def next_deadline(self) -> float:
        """When `pass_time` has something to say at the earliest."""
        return min([self._silent_at, *(deadline for _, deadline in self._asked.values())])

    def pass_time(self, now: float) -> list[Event]:
        """What became of the questions that nobody answered in time, and whether the other side has fallen silent."""
        late = [(number, method) for number, (method, deadline) in self._asked.items() if deadline <= now]
        for number, _ in late:
            del self._asked[number]
        events: list[Event] = [
            Failure(number, method, ExchangeUnavailable(f"The exchange did not answer {method} in time."))
            for number, method in late
        ]
        if now >= self._silent_at:
            events.append(Silence(now - self._heard_at))
        return events


def _reason_of(data: msgspec.Raw) -> str:
    """The reason that the `data` of an error gives; it may be anything, or nothing at all."""
    try:
        return _reason_decoder.decode(data).reason
    except msgspec.DecodeError:
        return ""
