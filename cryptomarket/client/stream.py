"""A stream that never loses its place: it comes back with the last id it got, and goes on where it was."""

from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping
from contextlib import aclosing
from types import TracebackType
from typing import NamedTuple, Self

import httpx2
import msgspec

from cryptomarket.backoff import Backoff
from cryptomarket.client.asking import CONNECTION_FAULTS, Asking, Question, away
from cryptomarket.client.events import (
    AnyTick,
    Connected,
    Disconnected,
    Event,
    Gap,
    Interrupted,
    KeepAlive,
    Problem,
    Reset,
    Snapshot,
    Status,
    Subscribed,
    Tick,
    Unsubscribed,
    event_of,
)
from cryptomarket.client.refusals import GatewayFailed
from cryptomarket.client.words import position_of, ticker_of
from cryptomarket.errors import TooMany, Unavailable

PATH = "/api/v2/sse/connection"
# What a stream tells unless more is wished for: whatever happens to prices and to what is known of them.
MARKET: frozenset[type] = frozenset({Tick, Snapshot, Status, Gap, Reset})
EVERYTHING: frozenset[type] = MARKET | {
    Connected, Subscribed, Unsubscribed, KeepAlive, Problem, Disconnected, Interrupted
}  # fmt: skip
_MAX_EVENT_BYTES = 2**22
_RETRY_S, _BACKOFF_CAP_S = 3.0, 30.0


class Heard(NamedTuple):
    """One event as it came: its name, its data as the gateway wrote it, the value of it (None for a name that is not
    known here), and the id to come back with once it has been dealt with.
    """

    name: str
    data: str
    event: Event | None
    position: str | None


class Stream:
    """The events of some tickers, or of the saved set when none are named, in order, each once, for ever.

    `async for event in stream` gives those of the kinds in `tells`; `heard()` gives all, with their data as it came.
    Lost connections, streams that reach the end of their life, 429 and 503 are waited out: after `retry:`, `retry_ms`
    or `Retry-After`, with a jittered backoff while it fails again. `position` is the id up to which everything was
    handed out; a stream opened with it as `after` goes on exactly there. Where that can't be, a `Reset` says so.

    Raises Unauthenticated when the gateway does not know the caller (any more), another Refusal for a question that
    can't be, and Unavailable when there was no connection for `patience_s` seconds (None: it tries for ever). Names
    and an `after` that can be none raise ValueError at once.
    """

    def __init__(
        self,
        asking: Asking,
        tickers: Collection[str],
        *,
        after: str | None,
        tells: Collection[type],
        query: Mapping[str, object],
        silence_s: float,
        patience_s: float | None,
    ) -> None:
        self.position = position_of(after)
        self._asking = asking
        self._tells = tuple(tells)
        self._query = {**query, "tickers": ",".join(map(ticker_of, tickers)) or None}
        # Connecting may take as long as other questions; the gateway says something at least every few seconds.
        self._timeout = httpx2.Timeout(asking.http.timeout.connect, read=silence_s)
        self._patience_s = patience_s
        self._retry_s = _RETRY_S
        self._events: AsyncGenerator[Event] | None = None

    def __aiter__(self) -> AsyncIterator[Event]:
        """The events of the wished kinds."""
        self._events = self._told()
        return self._events

    async def __aenter__(self) -> Self:
        """A block that closes the connection at its end, however it ends."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the connection."""
        await self.aclose()

    async def aclose(self) -> None:
        """Closes the connection. The stream may be iterated again, and goes on at `position`."""
        if self._events is not None:
            await self._events.aclose()

    async def ticks(self) -> AsyncGenerator[AnyTick]:
        """The ticks alone, for whoever does not ask what is missing."""
        async with aclosing(self.heard()) as everything:
            async for heard in everything:
                if isinstance(heard.event, Tick):
                    yield heard.event

    async def _told(self) -> AsyncGenerator[Event]:
        async with aclosing(self.heard()) as everything:
            async for heard in everything:
                if heard.event is not None and isinstance(heard.event, self._tells):
                    yield heard.event

    async def heard(self) -> AsyncGenerator[Heard]:
        """Every event as it came, and the client's own word `interrupted` whenever the connection is lost."""
        backoff = Backoff(base_s=self._retry_s, cap_s=_BACKOFF_CAP_S, random=self._asking.random)
        waited_s = 0.0
        is_first_failure = True
        while True:
            reason, wait_s = "the connection was closed", 0.0
            try:
                async with aclosing(self._connection()) as connection:
                    async for heard in connection:
                        waited_s, is_first_failure = 0.0, True
                        backoff.reset()
                        if isinstance(heard.event, Disconnected):
                            reason = heard.event.reason
                        yield heard
            except (TooMany, Unavailable) as error:
                reason, wait_s = str(error), error.retry_after_s
                if self._patience_s is not None and waited_s >= self._patience_s:
                    raise
            # The gateway spreads its crowd by what it says first; only who fails again has to spread himself.
            wait_s = max(wait_s, self._retry_s if is_first_failure else backoff.next_s())
            is_first_failure = False
            waited_s += wait_s
            yield Heard("interrupted", "", Interrupted(reason=reason, returns_in_s=wait_s), self.position)
            await self._asking.sleep(wait_s)

    async def _connection(self) -> AsyncGenerator[Heard]:
        """The events of one connection. Raises Unavailable when it is lost."""
        headers = {"Accept": "text/event-stream"}
        if self.position is not None:
            headers["Last-Event-ID"] = self.position
        question = Question("GET", PATH, self._query, headers, patience_s=0.0, timeout=self._timeout)
        async with self._asking.opened(question) as response:
            events = aiter(httpx2.EventSource(response, _MAX_EVENT_BYTES))
            while (said := await _next_of(events, response)) is not None:
                if said.retry is not None:
                    self._retry_s = said.retry / 1000
                self.position = said.id or self.position
                heard = Heard(said.event, said.data, _value(said, response), self.position)
                if isinstance(heard.event, Disconnected):
                    self._retry_s = heard.event.retry_ms / 1000
                yield heard


async def _next_of(
    events: AsyncIterator[httpx2.ServerSentEvent], response: httpx2.Response
) -> httpx2.ServerSentEvent | None:
    """The next event; None at the end of the answer."""
    try:
        return await anext(events, None)
    except httpx2.SSEError as error:
        raise GatewayFailed(response.status_code, str(error), response.headers.get("x-request-id", "")) from error
    except CONNECTION_FAULTS as error:
        raise away(response.url, error) from error


def _value(said: httpx2.ServerSentEvent, response: httpx2.Response) -> Event | None:
    try:
        return event_of(said.event, said.data, said.id or None)
    except msgspec.MsgspecError as error:
        told = f"An event {said.event!r} can't be read: {error}"
        raise GatewayFailed(response.status_code, told, response.headers.get("x-request-id", "")) from error
