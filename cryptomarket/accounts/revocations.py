"""Tokens that no longer count, known in this process without asking anybody."""

import asyncio
from collections.abc import Callable

from cryptomarket.accounts.repository import AccountsRepository
from cryptomarket.backplane.bus import Bus, Notice, NoticeKind
from cryptomarket.errors import BusUnavailable, DatabaseUnavailable, Unauthenticated

# How often their number in the database is looked at: a command that ends a key has the database, and not our bus.
LOOK_S = 0.5
# While the bus is away, the database is asked this often instead.
RELISTEN_S = 0.5


class Revocations:
    """The revoked tokens of this gateway, in memory, in the database, and told on the bus.

    Bound: a revocation is dropped when its token would have expired by itself, so there are never more than tokens
    revoked within one token life. `on_revoked` is called once in this process for each subject that is revoked, by
    whichever process; it closes streams.
    """

    def __init__(
        self,
        repository: AccountsRepository,
        bus: Bus,
        *,
        token_life_s: int,
        reread_s: float = 5.0,
        now_ms: Callable[[], int],
        on_revoked: Callable[[str], None],
    ) -> None:
        self._repository = repository
        self._bus = bus
        self._token_life_ms = token_life_s * 1000
        # Notices are not kept anywhere, so the database is read anew in any case.
        self._reread_s = reread_s
        self._now_ms = now_ms
        self._on_revoked = on_revoked
        self._revoked: dict[str, int] = {}
        self._loaded = False
        self._stored = 0

    async def load(self) -> None:
        """Reads what the database knows. Until this has succeeded once, no token is accepted."""
        now_ms = self._now_ms()
        # Counted before it is read: what comes in between makes for one reading too many, and not for one too few.
        self._stored = await self._repository.count_revoked()
        known = await self._repository.revoked_tokens(now_ms=now_ms)
        for subject in [subject for subject, expires_ms in self._revoked.items() if expires_ms <= now_ms]:
            del self._revoked[subject]
        for subject, expires_ms in known.items():
            self._learn(subject, expires_ms)
        self._loaded = True

    def check(self, *subjects: str) -> None:
        """Raises Unauthenticated when one of these is revoked, DatabaseUnavailable when that is not known."""
        if not self._loaded:
            raise DatabaseUnavailable("It is not known yet which tokens were revoked.", retry_after_s=1.0)
        if any(subject in self._revoked for subject in subjects):
            raise Unauthenticated("The access token was revoked.")

    async def revoke(self, jti: str, *, expires_s: int) -> None:
        """Stored first, so that it outlives everything; then known here; then told to the others."""
        expires_ms = expires_s * 1000
        await self._repository.revoke_token(jti, expires_ms=expires_ms)
        self._learn(jti, expires_ms)
        await self._bus.notify(Notice(NoticeKind.REVOKED, jti))

    async def revoke_origin(self, origin: str) -> None:
        """Every token that was given for `origin` (an API key) before now. The key itself gives no new ones."""
        await self.revoke(origin, expires_s=(self._now_ms() + self._token_life_ms) // 1000 + 1)

    async def run(self) -> None:
        """Listens to what other processes revoke, for ever, and rereads the database in case something was missed."""
        async with asyncio.TaskGroup() as together:
            together.create_task(self._listen_for_ever())
            together.create_task(self._reread_for_ever())

    async def forget_expired(self) -> int:
        """Removes from the database what has expired; how many those were."""
        return await self._repository.forget_expired(now_ms=self._now_ms())

    async def _listen_for_ever(self) -> None:
        while True:
            try:
                await self._listen()
            except BusUnavailable:
                await self._reread()
                await asyncio.sleep(RELISTEN_S)

    async def _listen(self) -> None:
        # Listening begins before the look at the database, so that nothing falls between the two.
        notices = self._bus.notices()
        await self._reread()
        async for notice in notices:
            if notice.kind is NoticeKind.REVOKED:
                self._learn(notice.subject, self._now_ms() + self._token_life_ms)

    async def _reread_for_ever(self) -> None:
        looks = 0
        while True:
            await asyncio.sleep(LOOK_S)
            looks += 1
            if looks * LOOK_S >= self._reread_s or await self._has_grown():
                looks = 0
                await self._reread()

    async def _has_grown(self) -> bool:
        try:
            return await self._repository.count_revoked() != self._stored
        except DatabaseUnavailable:
            return False

    async def _reread(self) -> None:
        try:
            await self.load()
        except DatabaseUnavailable:
            # What is known stays known; the next reading comes soon.
            return

    def _learn(self, subject: str, expires_ms: int) -> None:
        is_new = subject not in self._revoked
        self._revoked[subject] = expires_ms
        if is_new:
            self._on_revoked(subject)
