"""One live connection: a socket, the conversation on it, and who waits for which answer."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import msgspec
import structlog
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from cryptomarket.clock import Clock
from cryptomarket.deribit.errors import spent
from cryptomarket.deribit.loss import Ended
from cryptomarket.deribit.messages import Beat, Event, Failure, Notice, Reply, Silence, Stamped, Unreadable
from cryptomarket.deribit.protocol import Conversation
from cryptomarket.errors import ExchangeError, ExchangeUnavailable

log = structlog.get_logger(__name__)

_LOST = "The connection to the exchange was lost."


class _Question:
    """A question under way: what to do with its answer in the order of the frames, and who waits for it."""

    __slots__ = ("answer", "then")

    def __init__(self, then: Callable[[msgspec.Raw], None] | None) -> None:
        self.answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self.answer.add_done_callback(_look_at)
        self.then = then


def _look_at(answer: asyncio.Future[Reply]) -> None:
    """Who asked may have left before the failure came: then nobody wants to know of it."""
    if not answer.cancelled():
        answer.exception()


class Connection:
    """Moves frames and arms timers; what they mean, the conversation knows.

    `on_notice` is called with the channel, its data and the microsecond at which the frame was read; `on_garbled` with
    the channel, if it is named, and a reason when a frame that may be a notice can't be read; `on_beat` when a
    heartbeat is being answered, which costs credits; `on_spent` when the exchange says that there are none left;
    `on_idle` whenever a question has ended.
    """

    def __init__(
        self,
        socket: ClientConnection,
        conversation: Conversation,
        *,
        on_notice: Callable[[str, msgspec.Raw, int], None],
        on_garbled: Callable[[str | None, str], None],
        on_beat: Callable[[], None],
        on_spent: Callable[[], None],
        on_idle: Callable[[], None],
        clock: Clock,
    ) -> None:
        self._socket = socket
        self._conversation = conversation
        self._on_notice = on_notice
        self._on_garbled = on_garbled
        self._on_beat = on_beat
        self._on_spent = on_spent
        self._on_idle = on_idle
        self._clock = clock
        self._rearm = asyncio.Event()
        self._questions: dict[int, _Question] = {}
        self._unreadable = 0

    @property
    def unanswered(self) -> int:
        """How many questions are under way."""
        return len(self._questions)

    async def introduce(self, *, client_name: str, client_version: str, timeout_s: float) -> None:
        """Says who we are, and sets the heartbeat. Raises what `request` raises."""
        now_s = self._clock.monotonic_s()
        numbers = self._conversation.begin(
            client_name=client_name, client_version=client_version, now=now_s, timeout_s=timeout_s
        )
        for number in numbers:
            self._questions[number] = _Question(None)
        for number in numbers:
            await self._answer(number)

    async def request(
        self,
        method: str,
        params: dict[str, object],
        *,
        timeout_s: float,
        then: Callable[[msgspec.Raw], None] | None = None,
    ) -> msgspec.Raw:
        """The result of one request. `then` is called with it at once, before any frame that follows it is looked at.

        Raises ExchangeRetryable, ExchangeFatal, and ExchangeUnavailable when no answer came in time or the connection
        was lost.
        """
        return (await self._asked(method, params, timeout_s=timeout_s, then=then)).result

    async def stamped(self, method: str, params: dict[str, object], *, timeout_s: float) -> Stamped:
        """The same, with the time at which the exchange says that it answered."""
        reply = await self._asked(method, params, timeout_s=timeout_s, then=None)
        return Stamped(bytes(reply.result), reply.us_out)

    async def _asked(
        self, method: str, params: dict[str, object], *, timeout_s: float, then: Callable[[msgspec.Raw], None] | None
    ) -> Reply:
        number = self._conversation.ask(method, params, now=self._clock.monotonic_s(), timeout_s=timeout_s)
        self._questions[number] = _Question(then)
        return await self._answer(number)

    async def run(self) -> None:
        """Reads until the connection ends, and always raises: ConnectionClosed, or Ended when it is of no more use."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._keep_time(), name="deadlines")
                await self._pump()
        finally:
            for question in self._questions.values():
                if not question.answer.done():
                    question.answer.set_exception(ExchangeUnavailable(_LOST))

    async def close(self) -> None:
        """Closes the socket, with a handshake if the other side still has one to give."""
        await self._socket.close()

    async def _pump(self) -> None:
        recv, hear, on_notice = self._socket.recv, self._conversation.hear, self._on_notice
        monotonic_s, wall_us = self._clock.monotonic_s, self._clock.wall_us
        while True:
            text = await recv(decode=False)
            received_us = wall_us()
            for event in hear(text, now=monotonic_s()):
                if type(event) is Notice:
                    on_notice(event.channel, event.data, received_us)
                else:
                    self._note(event)
            if self._conversation.has_to_send:
                await self._flush()

    async def _keep_time(self) -> None:
        while True:
            now_s = self._clock.monotonic_s()
            for event in self._conversation.pass_time(now_s):
                self._note(event)
            self._rearm.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._conversation.next_deadline() - now_s):
                    await self._rearm.wait()

    def _note(self, event: Event) -> None:
        match event:
            case Reply(id=number, result=result) as reply:
                question = self._questions.get(number)
                if question is not None:
                    if question.then is not None:
                        question.then(result)
                    if not question.answer.done():
                        question.answer.set_result(reply)
            case Failure(id=number, error=error):
                self._note_failure(number, error)
            case Beat(asked=True):
                self._on_beat()
            case Unreadable(reason=reason):
                self._unreadable += 1
                if event.may_be_news:
                    self._on_garbled(event.channel, reason)
                if self._unreadable & (self._unreadable - 1) == 0:  # powers of two: a sample, not a flood
                    log.warning("unreadable frame left out", reason=reason, count=self._unreadable)
            case Silence(silent_s=silent_s):
                raise Ended(f"silent for {silent_s:.0f} s")

    def _note_failure(self, number: int | None, error: ExchangeError | ExchangeUnavailable) -> None:
        question = None if number is None else self._questions.get(number)
        if question is None and isinstance(error, ExchangeError):
            log.warning("the exchange complains of what it can't name", code=error.code)
        elif question is not None and not question.answer.done():
            question.answer.set_exception(error)
        if isinstance(error, ExchangeError) and spent(error):
            self._on_spent()
            raise Ended("the exchange counts no credits left")

    async def _answer(self, number: int) -> Reply:
        answer = self._questions[number].answer
        self._rearm.set()
        try:
            await self._flush()
            return await answer
        finally:
            del self._questions[number]
            if answer.done() and not answer.cancelled():
                answer.exception()  # looked at: nobody else does when the write failed first
            self._on_idle()

    async def _flush(self) -> None:
        try:
            for text in self._conversation.to_send():
                await self._socket.send(text, text=True)
        except ConnectionClosed as closed:
            raise ExchangeUnavailable(_LOST) from closed
