"""One socket to the exchange: connect, introduce, log in, hold channels, pump, and come back after a loss."""

import asyncio
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress

import msgspec
import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from cryptomarket.clock import Clock
from cryptomarket.deribit.auth import Token
from cryptomarket.deribit.backoff import Backoff
from cryptomarket.deribit.budget import Budget
from cryptomarket.deribit.channels import SUBSCRIBE, Call, Channels
from cryptomarket.deribit.errors import RAW_NEEDS_LOGIN, spent
from cryptomarket.deribit.events import Heard, Held, Lost, PoolEvent, Purpose, Ready, Refused, SessionState
from cryptomarket.deribit.login import OwnKey
from cryptomarket.deribit.messages import Beat, Event, Failure, Notice, Reply, Silence, Unreadable
from cryptomarket.deribit.options import PoolOptions
from cryptomarket.deribit.protocol import Conversation
from cryptomarket.errors import ExchangeError, ExchangeFatal, ExchangeRetryable, ExchangeUnavailable

log = structlog.get_logger(__name__)

_names_decoder = msgspec.json.Decoder(list[str])


class Ended(Exception):
    """This connection is of no more use, for the reason told."""


class Session:
    """The session of one slot. `run` keeps it up for as long as it runs; between two connections it waits, jittered.

    It calls `listener` from its pump, so whatever listens must be quick, and `on_change` whenever its state changes
    or a question of somebody's ends.
    """

    def __init__(
        self,
        slot: int,
        purpose: Purpose,
        options: PoolOptions,
        budget: Budget,
        own_key: OwnKey,
        listener: Callable[[PoolEvent], None],
        *,
        on_change: Callable[[], None],
        clock: Clock,
        random: Callable[[], float],
    ) -> None:
        self.slot = slot
        self.purpose = purpose
        self._options = options
        self._budget = budget
        self._own_key = own_key
        self._listener = listener
        self._on_change = on_change
        self._clock = clock
        self._backoff = Backoff(base_s=options.backoff_base_s, cap_s=options.backoff_cap_s, random=random)
        self._patience = Backoff(base_s=options.backoff_base_s, cap_s=options.backoff_cap_s, random=random)
        self._channels = Channels()
        self._work = asyncio.Event()
        self._rearm = asyncio.Event()
        self._answers: dict[int, asyncio.Future[msgspec.Raw]] = {}
        self._subscribing: dict[int, Call] = {}
        self._socket: ClientConnection | None = None
        self._conversation = self._new_conversation()
        self._token: Token | None = None
        self._login_doubted = False
        self._leaving = False
        self._unreadable = 0
        self.state = SessionState.CLOSED
        self.since_ms = clock.wall_ms()
        self.reservation: object | None = None

    @property
    def is_ready(self) -> bool:
        """Whether it can be asked something now."""
        return self.state is SessionState.READY

    @property
    def unanswered(self) -> int:
        """How many questions are under way on it."""
        return len(self._answers)

    @property
    def held_count(self) -> int:
        """How many channels it holds."""
        return len(self._channels.held)

    def hold(self, channels: Collection[str]) -> None:
        """From now on it should hold exactly these."""
        renamed = self._channels.want(channels)
        if renamed:
            self._listener(Held(self.slot, renamed))
        self._work.set()

    def leave(self) -> None:
        """Logs out, and comes back as a fresh connection without waiting."""
        self._leaving = True
        self._enter(SessionState.LEAVING)
        self._work.set()

    async def request(self, method: str, params: dict[str, object], *, timeout_s: float) -> msgspec.Raw:
        """Asks, at the cost of credits that the caller has paid.

        Raises ExchangeRetryable, ExchangeFatal, and ExchangeUnavailable when no answer came in time or the session
        was lost.
        """
        if self._socket is None:
            raise ExchangeUnavailable("The exchange can't be reached.")
        number = self._conversation.ask(method, params, now=self._clock.monotonic_s(), timeout_s=timeout_s)
        self._expect(number)
        return await self._answer(number)

    async def ask(self, method: str, params: dict[str, object]) -> msgspec.Raw:
        """Pays, and asks. For the session's own affairs, which wait for credits as long as it takes."""
        await self._pay(method)
        return await self.request(method, params, timeout_s=self._options.request_timeout_s)

    async def run(self) -> None:
        """Connects, and after each loss connects again, until cancelled."""
        try:
            while True:
                began_s = self._clock.monotonic_s()
                if await self._live():
                    continue
                if self._clock.monotonic_s() - began_s >= self._options.backoff_cap_s:
                    self._backoff.reset()
                self._enter(SessionState.WAITING)
                await asyncio.sleep(self._backoff.next_s())
        finally:
            self._enter(SessionState.CLOSED)

    async def _live(self) -> bool:
        """One connection, from its first byte to its last. Returns whether it was left on purpose, for a fresh one."""
        socket: ClientConnection | None = None
        reason: str | None = "released"
        fresh = False
        try:
            socket = await self._connect()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._keep_time(), name=f"slot {self.slot}: time")
                group.create_task(self._serve(group), name=f"slot {self.slot}: channels")
                await self._pump(socket)
        except Exception as error:  # noqa: BLE001  # the pump's door: whatever ends a connection is told; the slot lives on
            fresh = self._leaving
            reason = None if fresh else self._tell(error)
        finally:
            self._end(reason)
            if socket is not None:
                await socket.close()
        return fresh

    async def _connect(self) -> ClientConnection:
        self._enter(SessionState.CONNECTING)
        await self._pay("public/hello")
        await self._pay("public/set_heartbeat")
        options = self._options
        socket = await connect(
            options.ws_url,
            compression="deflate" if options.compression else None,
            # A proxy of the system is for the way out; a simulator is next door.
            proxy=True if options.ws_url.startswith("wss:") else None,
            open_timeout=options.connect_timeout_s,
            close_timeout=options.close_timeout_s,
            # The exchange's own heartbeats do what pings would.
            ping_interval=None,
            max_size=options.max_frame_bytes,
            max_queue=options.read_ahead_frames,
        )
        self._conversation = self._new_conversation()
        self._socket = socket
        return socket

    async def _pump(self, socket: ClientConnection) -> None:
        conversation, listener, slot = self._conversation, self._listener, self.slot
        monotonic_s, wall_us, asked_name = self._clock.monotonic_s, self._clock.wall_us, self._channels.asked_name
        while True:
            text = await socket.recv(decode=False)
            received_us = wall_us()
            for event in conversation.hear(text, now=monotonic_s()):
                if type(event) is Notice:
                    listener(Heard(slot, asked_name(event.channel), event.data, received_us))
                else:
                    self._note(event)
            if conversation.has_to_send:
                await self._flush()

    def _note(self, event: Event) -> None:
        match event:
            case Reply(id=number, result=result):
                self._note_channels(number, result)
                answer = self._answers.get(number)
                if answer is not None and not answer.done():
                    answer.set_result(result)
            case Failure(id=number, error=error):
                self._note_failure(number, error)
            case Beat(asked=True):
                self._budget.answer(self._clock.monotonic_s())
            case Unreadable(reason=reason):
                self._unreadable += 1
                if self._unreadable & (self._unreadable - 1) == 0:  # powers of two: a sample, not a flood
                    log.warning("unreadable frame left out", slot=self.slot, reason=reason, count=self._unreadable)
            case Silence(silent_s=silent_s):
                raise Ended(f"silent for {silent_s:.0f} s")

    def _note_channels(self, number: int, result: msgspec.Raw) -> None:
        # Here, in the order of the frames, so that `Held` is told before what follows it on the wire.
        call = self._subscribing.pop(number, None)
        if call is None:
            return
        if call.method != SUBSCRIBE:
            self._channels.unsubscribed(call)
            return
        held, refused = self._channels.subscribed(call, _names_decoder.decode(result))
        if held:
            self._listener(Held(self.slot, held))
        if refused:
            self._listener(Refused(self.slot, refused))

    def _note_failure(self, number: int | None, error: ExchangeError | ExchangeUnavailable) -> None:
        answer = None if number is None else self._answers.get(number)
        if answer is not None and not answer.done():
            answer.set_exception(error)
        elif isinstance(error, ExchangeError):
            log.warning("the exchange complains of what it can't name", slot=self.slot, code=error.code)
        if isinstance(error, ExchangeError) and spent(error):
            self._budget.drain(self._clock.monotonic_s())
            raise Ended("the exchange counts no credits left")

    def _expect(self, number: int) -> None:
        self._answers[number] = asyncio.get_running_loop().create_future()
        self._rearm.set()

    async def _answer(self, number: int) -> msgspec.Raw:
        """Sends what is to be sent, and waits for the answer to this question, which `_expect` knows of."""
        answer = self._answers[number]
        try:
            await self._flush()
            return await answer
        finally:
            del self._answers[number]
            self._subscribing.pop(number, None)
            if answer.done() and not answer.cancelled():
                answer.exception()  # looked at: nobody else does when the write failed first
            self._on_change()

    async def _flush(self) -> None:
        socket = self._socket
        if socket is None:
            raise ExchangeUnavailable("The connection to the exchange was lost.")
        try:
            for text in self._conversation.to_send():
                await socket.send(text, text=True)
        except ConnectionClosed as closed:
            raise ExchangeUnavailable("The connection to the exchange was lost.") from closed

    async def _keep_time(self) -> None:
        while True:
            now_s = self._clock.monotonic_s()
            for event in self._conversation.pass_time(now_s):
                self._note(event)
            self._rearm.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._conversation.next_deadline() - now_s):
                    await self._rearm.wait()

    async def _serve(self, group: asyncio.TaskGroup) -> None:
        await self._open()
        if self._token is not None:
            group.create_task(self._keep_token(self._token), name=f"slot {self.slot}: token")
        self._enter(SessionState.READY)
        self._listener(Ready(self.slot))
        self._work.set()
        while True:
            await self._work.wait()
            self._work.clear()
            if self._leaving:
                await self._log_out()
            call = self._channels.next_call()
            while call is not None:
                await self._make(call)
                call = self._channels.next_call()

    async def _open(self) -> None:
        self._enter(SessionState.OPENING)
        options = self._options
        numbers = self._conversation.begin(
            client_name=options.client_name,
            client_version=options.client_version,
            now=self._clock.monotonic_s(),
            timeout_s=options.request_timeout_s,
        )
        for number in numbers:
            self._expect(number)
        for number in numbers:
            await self._answer(number)
        if self.purpose is Purpose.DATA and self._own_key.usable:
            try:
                self._token = await self._own_key.login(self)
            except ExchangeFatal as refusal:
                log.warning("the exchange refuses the gateway's own key; going on without it", code=refusal.code)

    async def _keep_token(self, token: Token) -> None:
        while True:
            await asyncio.sleep(max(0.0, token.refresh_at_s - self._clock.monotonic_s()))
            renewed = await self._own_key.renew(self, token)
            if renewed is None:
                raise Ended("the gateway's own key is refused")
            self._token = token = renewed

    async def _make(self, call: Call) -> None:
        await self._pay(call.method)
        try:
            await self._change(call)
        except ExchangeFatal as refusal:
            await self._cope(call, refusal)
        except ExchangeRetryable as refusal:
            if spent(refusal):
                raise
            log.info("channels are asked for again", slot=self.slot, code=refusal.code, channels=len(call.channels))
            await asyncio.sleep(self._patience.next_s())

    async def _change(self, call: Call) -> None:
        params: dict[str, object] = {"channels": call.channels}
        number = self._conversation.ask(
            call.method, params, now=self._clock.monotonic_s(), timeout_s=self._options.request_timeout_s
        )
        self._subscribing[number] = call
        self._expect(number)
        await self._answer(number)
        self._patience.reset()
        if call.method == SUBSCRIBE and self._channels.held_raw:
            self._login_doubted = False

    async def _cope(self, call: Call, refusal: ExchangeFatal) -> None:
        """A whole call was refused. Raw channels are held slower; else one bad channel may not cost the others."""
        if refusal.code == RAW_NEEDS_LOGIN:
            if self._token is not None and not self._login_doubted:
                self._login_doubted = True
                raise Ended("the login no longer counts")
            self._channels.raw_refused()
            return
        if call.method != SUBSCRIBE:
            self._channels.unsubscribed(call)
        elif len(call.channels) == 1:
            _, refused = self._channels.subscribed(call, ())
            log.warning("the exchange refuses a channel", slot=self.slot, code=refusal.code, channel=call.channels[0])
            self._listener(Refused(self.slot, refused))
        else:
            half = len(call.channels) // 2
            await self._make(Call(call.method, call.channels[:half]))
            await self._make(Call(call.method, call.channels[half:]))

    async def _log_out(self) -> None:
        # The close of the socket is the answer; there is no useful other (private/logout).
        with suppress(ExchangeError, ExchangeUnavailable):
            await self.request("private/logout", {"invalidate_token": True}, timeout_s=self._options.close_timeout_s)
        raise Ended("logged out")

    async def _pay(self, method: str) -> None:
        wait_s = self._budget.take(method, self._clock.monotonic_s())
        while wait_s > 0:
            await asyncio.sleep(wait_s)
            wait_s = self._budget.take(method, self._clock.monotonic_s())

    def _end(self, reason: str | None) -> None:
        was_up = self.state in {SessionState.READY, SessionState.LEAVING}
        self._socket = None
        self._token = None
        self._leaving = False
        self.reservation = None
        self._subscribing.clear()
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(ExchangeUnavailable("The connection to the exchange was lost."))
        lost = self._channels.lost()
        if reason is not None and (was_up or lost):
            self._listener(Lost(self.slot, lost, reason))

    def _enter(self, state: SessionState) -> None:
        if state is not self.state:
            self.state = state
            self.since_ms = self._clock.wall_ms()
        self._on_change()

    def _new_conversation(self) -> Conversation:
        return Conversation(
            heartbeat_s=self._options.heartbeat_s,
            silent_intervals=self._options.silent_intervals,
            now=self._clock.monotonic_s(),
        )

    def _tell(self, error: Exception) -> str:
        expected = (OSError, TimeoutError, ConnectionClosed, InvalidStatus, ExchangeError, ExchangeUnavailable, Ended)
        causes = list(_leaves(error))
        cause = next((leaf for leaf in causes if isinstance(leaf, Ended)), causes[0])
        if all(isinstance(leaf, expected) for leaf in causes):
            if not self._leaving:
                log.info("session lost", slot=self.slot, reason=_reason_of(cause))
        else:
            log.error("session lost to what was not foreseen", slot=self.slot, exc_info=error)
        return _reason_of(cause)


def _leaves(error: BaseException) -> Iterable[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _reason_of(error: BaseException) -> str:
    """One phrase for those who wait, without addresses."""
    match error:
        case Ended() | ExchangeError() | ExchangeUnavailable():
            return str(error)
        case ConnectionClosed():
            close = error.rcvd
            return "the connection broke" if close is None else f"closed by the exchange ({close.code} {close.reason})"
        case InvalidStatus():
            return f"the exchange refused the connection with {error.response.status_code}"
        case TimeoutError():
            return "no connection in time"
        case OSError():
            return "no connection"
    return type(error).__name__
