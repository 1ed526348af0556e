"""The session of one slot: connect, introduce, log in, hold channels, and come back after a loss."""

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress

import msgspec
import structlog
from websockets.asyncio.client import connect

from cryptomarket.backoff import Backoff
from cryptomarket.clock import Clock
from cryptomarket.deribit.auth import Token
from cryptomarket.deribit.budget import Budget
from cryptomarket.deribit.channels import SUBSCRIBE, Call, Channels
from cryptomarket.deribit.connection import Connection
from cryptomarket.deribit.errors import RAW_NEEDS_LOGIN, blames_channels, blames_us, names_nothing, spent
from cryptomarket.deribit.events import (
    Denied,
    Garbled,
    Heard,
    Held,
    Lost,
    PoolEvent,
    Purpose,
    Ready,
    Refused,
    SessionState,
)
from cryptomarket.deribit.login import OwnKey
from cryptomarket.deribit.loss import Ended, let_cancellation_pass, reason_of, was_foreseen
from cryptomarket.deribit.messages import Stamped
from cryptomarket.deribit.options import PoolOptions
from cryptomarket.deribit.protocol import Conversation
from cryptomarket.errors import ExchangeError, ExchangeFatal, ExchangeRetryable, ExchangeUnavailable

log = structlog.get_logger(__name__)

_names_decoder = msgspec.json.Decoder(list[str])


class Session:
    """Desired state, kept up. `run` connects for as long as it runs; between two connections it waits, jittered.

    It calls `listener` from its pump, so whatever listens must be quick, and `on_change` whenever its state changes
    or a question on it has ended. `reservation` belongs to the desk: whoever has it has the session for himself.
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
        # Two patiences: one with the exchange's door, one with its refusals to change what is held.
        self._backoff = Backoff(base_s=options.backoff_base_s, cap_s=options.backoff_cap_s, random=random)
        self._patience = Backoff(base_s=options.backoff_base_s, cap_s=options.backoff_cap_s, random=random)
        self._channels = Channels()
        self._work = asyncio.Event()
        self._take_up_at_s = 0.0
        self._connection: Connection | None = None
        self._token: Token | None = None
        self._login_doubted = False
        self._leaving = False
        self.state = SessionState.CLOSED
        self.since_ms = clock.wall_ms()
        self.reservation: object | None = None
        # Whether its last try to come up failed: the exchange is away, and not merely on its way.
        self.turned_away = False

    @property
    def is_ready(self) -> bool:
        """Whether it can be asked something now."""
        return self.state is SessionState.READY

    @property
    def is_up(self) -> bool:
        """Whether the exchange is at the other end, be it ready for another question or not."""
        return self.state in {SessionState.READY, SessionState.LEAVING}

    @property
    def unanswered(self) -> int:
        """How many questions are under way on it."""
        return 0 if self._connection is None else self._connection.unanswered

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

    async def stamped(self, method: str, params: dict[str, object], *, timeout_s: float) -> Stamped:
        """Asks, at the cost of credits that the caller has paid. Raises what Connection.request raises."""
        if self._connection is None:
            raise ExchangeUnavailable("The exchange can't be reached.")
        return await self._connection.stamped(method, params, timeout_s=timeout_s)

    async def ask(self, method: str, params: dict[str, object]) -> msgspec.Raw:
        """Pays, and asks. For the session's own affairs, which wait for credits as long as it takes."""
        await self._pay(method)
        return msgspec.Raw((await self.stamped(method, params, timeout_s=self._options.request_timeout_s)).result)

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
        connection: Connection | None = None
        reason: str | None = "released"
        fresh = False
        try:
            connection = await self._connect()
            self._connection = connection
            async with asyncio.TaskGroup() as group:
                group.create_task(self._serve(connection, group), name=f"slot {self.slot}: channels")
                await connection.run()
        except Exception as error:  # noqa: BLE001  # the pump's door: whatever ends a connection is told; the slot lives on
            let_cancellation_pass()
            fresh = self._leaving
            reason = None if fresh else self._tell(error)
        finally:
            self._end(reason)
            if connection is not None:
                await connection.close()
        return fresh

    def _tell(self, error: Exception) -> str:
        reason = reason_of(error)
        if was_foreseen(error):
            log.debug("session lost", slot=self.slot, reason=reason)
        else:
            log.error("session lost to what was not foreseen", slot=self.slot, exc_info=error)
        return reason

    async def _connect(self) -> Connection:
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
        conversation = Conversation(
            heartbeat_s=options.heartbeat_s,
            silent_intervals=options.silent_intervals,
            now=self._clock.monotonic_s(),
        )
        return Connection(
            socket,
            conversation,
            on_notice=self._heard,
            on_garbled=self._garbled,
            on_beat=lambda: self._budget.answer(self._clock.monotonic_s()),
            on_spent=lambda: self._budget.drain(self._clock.monotonic_s()),
            on_idle=self._on_change,
            clock=self._clock,
        )

    def _heard(self, channel: str, data: msgspec.Raw, received_us: int) -> None:
        self._listener(Heard(self.slot, self._channels.asked_name(channel), data, received_us))

    def _garbled(self, channel: str | None, reason: str) -> None:
        channels = self._channels.held if channel is None else (self._channels.asked_name(channel),)
        self._listener(Garbled(self.slot, channels, reason))

    async def _serve(self, connection: Connection, group: asyncio.TaskGroup) -> None:
        await self._open(connection)
        if self._token is not None:
            group.create_task(self._keep_token(self._token), name=f"slot {self.slot}: token")
        self.turned_away = False
        self._enter(SessionState.READY)
        self._listener(Ready(self.slot))
        self._work.set()
        while True:
            await self._wait_for_work()
            if self._leaving:
                await self._log_out()
            call = self._channels.next_call()
            while call is not None:
                await self._make(connection, call)
                call = self._channels.next_call()

    async def _wait_for_work(self) -> None:
        wait_s = self._take_up_at_s - self._clock.monotonic_s() if self._channels.has_put_off else None
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._work.wait()
        self._work.clear()
        if self._clock.monotonic_s() >= self._take_up_at_s:
            self._channels.take_up()

    async def _open(self, connection: Connection) -> None:
        self._enter(SessionState.OPENING)
        await connection.introduce(
            client_name=self._options.client_name,
            client_version=self._options.client_version,
            timeout_s=self._options.request_timeout_s,
        )
        if self.purpose is Purpose.DATA:
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

    async def _make(self, connection: Connection, call: Call) -> None:
        await self._pay(call.method)
        try:
            await connection.request(
                call.method,
                {"channels": call.channels},
                timeout_s=self._options.request_timeout_s,
                # In the order of the frames, so that `Held` is told before what follows it on the wire.
                then=lambda result: self._changed(call, result),
            )
        except ExchangeFatal as refusal:
            await self._cope(connection, call, refusal)
        except ExchangeRetryable as refusal:
            if spent(refusal):
                raise
            log.info("channels are asked for again", slot=self.slot, code=refusal.code, channels=len(call.channels))
            await asyncio.sleep(self._patience.next_s())

    def _changed(self, call: Call, result: msgspec.Raw) -> None:
        self._patience.reset()
        if call.method != SUBSCRIBE:
            self._channels.unsubscribed(call)
            return
        held, refused = self._channels.subscribed(call, _names_decoder.decode(result))
        if held:
            self._listener(Held(self.slot, held))
        if refused:
            self._listener(Refused(self.slot, refused))
        if self._channels.held_raw:
            self._login_doubted = False

    async def _cope(self, connection: Connection, call: Call, refusal: ExchangeFatal) -> None:
        """A whole call was refused. Raw channels are held slower; else one bad channel may not cost the others."""
        if refusal.code == RAW_NEEDS_LOGIN:
            if self._token is not None and not self._login_doubted:
                self._login_doubted = True
                raise Ended("the login no longer counts")
            self._channels.raw_refused()
        elif call.method != SUBSCRIBE:
            self._channels.unsubscribed(call)
        elif len(call.channels) == 1 and names_nothing(refusal):
            log.warning("the exchange refuses a channel", slot=self.slot, code=refusal.code, channel=call.channels[0])
            self._listener(Refused(self.slot, self._channels.subscribed(call, ())[1]))
        elif len(call.channels) == 1 or not blames_channels(refusal):
            self._put_off(call, refusal)
        else:
            half = len(call.channels) // 2
            await self._make(connection, Call(call.method, call.channels[:half]))
            await self._make(connection, Call(call.method, call.channels[half:]))

    def _put_off(self, call: Call, refusal: ExchangeFatal) -> None:
        # What we asked for wrongly is a fault that waiting won't mend.
        tell = log.error if blames_us(refusal) else log.warning
        tell("channels are denied", slot=self.slot, code=refusal.code, reason=refusal.reason, channels=call.channels)
        denied = self._channels.put_off(call)
        self._take_up_at_s = self._clock.monotonic_s() + self._patience.next_s()
        if denied:
            self._listener(Denied(self.slot, denied, refusal.code))

    async def _log_out(self) -> None:
        # The close of the socket is the answer; there is no useful other (private/logout).
        with suppress(ExchangeError, ExchangeUnavailable):
            params: dict[str, object] = {"invalidate_token": True}
            await self.stamped("private/logout", params, timeout_s=self._options.close_timeout_s)
        raise Ended("logged out")

    async def _pay(self, method: str) -> None:
        wait_s = self._budget.take(method, self._clock.monotonic_s())
        while wait_s > 0:
            await asyncio.sleep(wait_s)
            wait_s = self._budget.take(method, self._clock.monotonic_s())

    def _end(self, reason: str | None) -> None:
        was_up = self.is_up
        self.turned_away = not was_up
        self._connection = None
        self._token = None
        self._leaving = False
        self.reservation = None
        lost = self._channels.lost()
        self._enter(SessionState.CONNECTING)
        if reason is not None and (was_up or lost):
            self._listener(Lost(self.slot, lost, reason))

    def _enter(self, state: SessionState) -> None:
        if state is not self.state:
            self.state = state
            self.since_ms = self._clock.wall_ms()
        self._on_change()
