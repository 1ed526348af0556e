"""Ten slots of sessions: most carry market data, shared by all users, some serve logins and requests."""

import asyncio
from collections.abc import Callable, Collection

from cryptomarket.clock import Clock
from cryptomarket.deribit.auth import ClientKey
from cryptomarket.deribit.budget import Budget
from cryptomarket.deribit.channels import RAW, SLOWER
from cryptomarket.deribit.desk import Desk
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
    SlotState,
)
from cryptomarket.deribit.login import OwnKey
from cryptomarket.deribit.messages import AccountHolder, Stamped
from cryptomarket.deribit.options import PoolOptions
from cryptomarket.deribit.session import Session

__all__ = [
    "Denied",
    "Garbled",
    "Heard",
    "Held",
    "Lost",
    "Pool",
    "PoolEvent",
    "PoolOptions",
    "Ready",
    "Refused",
    "SlotState",
]


class Pool:
    """The sessions of one process. Slots are numbered from 0; the last `login_slots` serve logins and requests.

    `listener` is called synchronously with everything that happens, from the pump of the session it happens on, so it
    must be quick. `random` gives numbers in [0, 1).
    """

    def __init__(
        self,
        options: PoolOptions,
        listener: Callable[[PoolEvent], None],
        *,
        clock: Clock,
        random: Callable[[], float],
    ) -> None:
        self._options = options
        self._clock = clock
        self._budget = Budget(now_s=clock.monotonic_s())
        self._own_key = OwnKey(options.key, options.grant, clock=clock, random=random)
        self._owned = frozenset(range(options.size))
        self._owned_changed = asyncio.Event()
        self._desk = Desk(
            self._budget,
            for_requests=self._for_requests,
            for_logins=lambda: self._owned_sessions(Purpose.LOGIN),
            max_waiting=options.max_waiting,
            patience_s=options.reconnect_patience_s,
            clock=clock,
            random=random,
        )
        first_login_slot = options.size - options.login_slots
        self._sessions = [
            Session(
                slot,
                Purpose.DATA if slot < first_login_slot else Purpose.LOGIN,
                options,
                self._budget,
                self._own_key,
                listener,
                on_change=self._desk.look_again,
                clock=clock,
                random=random,
            )
            for slot in range(options.size)
        ]
        self.data_slots = tuple(range(first_login_slot))

    @property
    def interval(self) -> str:
        """The pace of instrument channels: `raw` with a key of the gateway's own, which nobody has refused, else
        `100ms`.
        """
        return RAW if self._own_key.usable else SLOWER

    @property
    def reachable(self) -> bool:
        """Whether any session of this process is up."""
        return any(session.is_ready for session in self._sessions)

    def states(self) -> list[SlotState]:
        """Every slot as it is now, also those that this process does not own."""
        credits_left = self._budget.balance(self._clock.monotonic_s())
        return [
            SlotState(session.slot, session.purpose, session.state, session.since_ms, session.held_count, credits_left)
            for session in self._sessions
        ]

    def own(self, slots: Collection[int]) -> None:
        """From now on this process runs exactly these slots; at first it runs all. Sessions of others are closed, and
        forget what they should hold. The process takes its share of the address's credits, by number of slots.
        """
        unknown = [slot for slot in slots if not 0 <= slot < self._options.size]
        if unknown:
            raise ValueError(f"there are no slots {unknown}")
        for slot in self._owned - frozenset(slots):
            self._sessions[slot].hold(())
        self._owned = frozenset(slots)
        if self._owned:
            self._budget.set_share(len(self._owned) / self._options.size, self._clock.monotonic_s())
        self._owned_changed.set()

    def hold(self, slot: int, channels: Collection[str]) -> None:
        """From now on a data slot should hold exactly these channels; each call replaces the one before. It is desired
        state: the session gets there, and gets there again after each loss.
        """
        if slot not in self.data_slots:
            raise ValueError(f"slot {slot} carries no channels")
        self._sessions[slot].hold(channels)

    async def request(self, method: str, params: dict[str, object], *, timeout_s: float) -> bytes:
        """Asks the exchange on a login slot, or on a data slot where this process has no login slot. The result is
        JSON, as sent.

        Raises ExchangeRetryable and ExchangeFatal as the exchange answers, and ExchangeUnavailable when there was no
        slot, no credit or no answer within `timeout_s` seconds.
        """
        return await self._desk.request(method, params, timeout_s=timeout_s)

    async def stamped(self, method: str, params: dict[str, object], *, timeout_s: float) -> Stamped:
        """The same, with the time at which the exchange says that it answered."""
        return await self._desk.stamped(method, params, timeout_s=timeout_s)

    async def identify(self, key: ClientKey, *, timeout_s: float) -> AccountHolder:
        """Who is behind a key pair, as the exchange says: it is asked, once, and the login ends with the answer.

        Raises ExchangeFatal with code 13004 for a pair that is none, ExchangeRetryable as the exchange answers, and
        ExchangeUnavailable when there was no login slot, no credit or no answer within `timeout_s` seconds.
        """
        return await self._desk.identify(key, timeout_s=timeout_s)

    async def run(self) -> None:
        """Keeps the owned sessions up until cancelled; then closes them."""
        running: dict[int, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as group:
            while True:
                self._owned_changed.clear()
                released = [running.pop(slot) for slot in running.keys() - self._owned]
                for task in released:
                    task.cancel()
                if released:
                    await asyncio.wait(released)
                for slot in sorted(self._owned - running.keys()):
                    running[slot] = group.create_task(self._sessions[slot].run(), name=f"slot {slot}")
                await self._owned_changed.wait()

    def _owned_sessions(self, purpose: Purpose) -> list[Session]:
        return [self._sessions[slot] for slot in sorted(self._owned) if self._sessions[slot].purpose is purpose]

    def _for_requests(self) -> list[Session]:
        return self._owned_sessions(Purpose.LOGIN) or self._owned_sessions(Purpose.DATA)
