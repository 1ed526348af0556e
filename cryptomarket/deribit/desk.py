"""Requests and logins: who gets a login slot, when, and for how long he may wait for it."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

from cryptomarket.clock import Clock
from cryptomarket.deribit.auth import ClientKey
from cryptomarket.deribit.budget import Budget
from cryptomarket.deribit.login import account_holder, nonce_of
from cryptomarket.deribit.messages import AccountHolder, Stamped
from cryptomarket.deribit.session import Session
from cryptomarket.errors import ExchangeFatal, ExchangeUnavailable

# What a login costs in requests: public/auth, private/get_account_summary, private/logout.
_LOGIN_REQUESTS = 3

_AWAY = "The exchange can't be reached, or all its slots are busy."


class Desk:
    """Hands requests to slots. A login takes its slot for itself: the slot first finishes what it was asked, then does
    nothing else until it has come back as a fresh connection.

    A busy slot is waited for until the deadline, one that is reconnecting for `patience_s`; where the exchange has
    turned every slot away, the asker is told at once.

    Bound: `max_waiting` askers wait for a slot or for credits; one more is refused at once.
    """

    def __init__(
        self,
        budget: Budget,
        *,
        for_requests: Callable[[], Sequence[Session]],
        for_logins: Callable[[], Sequence[Session]],
        max_waiting: int,
        patience_s: float,
        clock: Clock,
        random: Callable[[], float],
    ) -> None:
        self._budget = budget
        self._for_requests = for_requests
        self._for_logins = for_logins
        self._max_waiting = max_waiting
        self._patience_s = patience_s
        self._clock = clock
        self._random = random
        self._waiting: set[asyncio.Future[None]] = set()
        self._askers = 0

    def look_again(self) -> None:
        """A session's state has changed, or it has finished something."""
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)

    async def request(self, method: str, params: dict[str, object], *, timeout_s: float) -> bytes:
        """The result of one request, as JSON."""
        return (await self.stamped(method, params, timeout_s=timeout_s)).result

    async def stamped(self, method: str, params: dict[str, object], *, timeout_s: float) -> Stamped:
        """The same, with the time of the answer."""
        deadline_s = self._clock.monotonic_s() + timeout_s
        self._admit()
        try:
            session = await self._free_session(deadline_s)
            while wait_s := self._budget.take(method, self._clock.monotonic_s()):
                await self._wait_for_credits(wait_s, deadline_s)
                session = await self._free_session(deadline_s)
        finally:
            self._askers -= 1
        left_s = deadline_s - self._clock.monotonic_s()
        return await session.stamped(method, params, timeout_s=left_s)

    async def identify(self, key: ClientKey, *, timeout_s: float) -> AccountHolder:
        """Who is behind a key pair: one login, one question, one logout, on a slot of its own."""
        deadline_s = self._clock.monotonic_s() + timeout_s
        self._admit()
        try:
            # Before he pays: where nobody is there, nobody waits for credits.
            await self._free_of(self._for_logins, deadline_s)
            for _ in range(_LOGIN_REQUESTS):
                while wait_s := self._budget.take("public/auth", self._clock.monotonic_s()):
                    await self._wait_for_credits(wait_s, deadline_s)
            reservation = object()
            session = await self._reserved_session(reservation, deadline_s)
        finally:
            self._askers -= 1
        return await self._identify_on(_Reserved(session, self._clock, deadline_s), key, reservation)

    async def _identify_on(self, asker: "_Reserved", key: ClientKey, reservation: object) -> AccountHolder:
        session = asker.session
        untouched = False
        try:
            return await account_holder(asker, key, timestamp_ms=self._clock.wall_ms(), nonce=nonce_of(self._random))
        except ExchangeFatal:
            untouched = asker.asked == 1
            raise
        finally:
            # A refused pair leaves no trace on a connection; anything else may have logged it in.
            if session.reservation is reservation:
                if untouched:
                    session.reservation = None
                    self.look_again()
                else:
                    session.leave()

    def _admit(self) -> None:
        if self._askers >= self._max_waiting:
            raise ExchangeUnavailable("Too many requests to the exchange are waiting already.")
        self._askers += 1

    async def _free_session(self, deadline_s: float) -> Session:
        return await self._free_of(self._for_requests, deadline_s)

    async def _free_of(self, sessions_of: Callable[[], Sequence[Session]], deadline_s: float) -> Session:
        """One that nobody has for himself. Raises ExchangeUnavailable when none is to be expected in time."""
        patient_until_s: float | None = None
        while True:
            sessions = sessions_of()
            free = [session for session in sessions if session.is_ready and session.reservation is None]
            if free:
                return min(free, key=lambda session: session.unanswered)
            if any(session.is_up for session in sessions):
                patient_until_s = None
                await self._wait(deadline_s)
                continue
            if sessions and all(session.turned_away for session in sessions):
                raise ExchangeUnavailable(_AWAY)
            if patient_until_s is None:
                patient_until_s = min(deadline_s, self._clock.monotonic_s() + self._patience_s)
            await self._wait(patient_until_s)

    async def _reserved_session(self, reservation: object, deadline_s: float) -> Session:
        while True:
            session = await self._free_of(self._for_logins, deadline_s)
            session.reservation = reservation
            taken = False
            try:
                while session.reservation is reservation and session.unanswered:
                    await self._wait(deadline_s)
                taken = session.reservation is reservation
            finally:
                if not taken and session.reservation is reservation:
                    session.reservation = None
                    self.look_again()
            if taken:
                return session

    async def _wait(self, deadline_s: float) -> None:
        left_s = deadline_s - self._clock.monotonic_s()
        if left_s <= 0:
            raise ExchangeUnavailable(_AWAY)
        waiting = asyncio.get_running_loop().create_future()
        self._waiting.add(waiting)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await waiting
        finally:
            self._waiting.discard(waiting)

    async def _wait_for_credits(self, wait_s: float, deadline_s: float) -> None:
        if self._clock.monotonic_s() + wait_s <= deadline_s:
            await asyncio.sleep(wait_s)
            # It may have lasted longer: what is sent too late nobody waits for, and it is paid all the same.
            if self._clock.monotonic_s() <= deadline_s:
                return
        raise ExchangeUnavailable("The credits for requests to the exchange are used up.", retry_after_s=wait_s)


class _Reserved:
    """A reserved session as the place of one login, within its deadline and at a price that is paid."""

    def __init__(self, session: Session, clock: Clock, deadline_s: float) -> None:
        self.session = session
        self.asked = 0
        self._clock = clock
        self._deadline_s = deadline_s

    async def ask(self, method: str, params: dict[str, object]) -> bytes:
        self.asked += 1
        left_s = self._deadline_s - self._clock.monotonic_s()
        return (await self.session.stamped(method, params, timeout_s=left_s)).result
