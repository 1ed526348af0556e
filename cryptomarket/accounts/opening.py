"""The other side of the door, where the exchange session lives: opens the letter, asks who that is, answers sealed."""

import asyncio
from collections.abc import Callable
from typing import Protocol

import msgspec

from cryptomarket.accounts.letters import BOX, LoginAnswer, LoginLetter, Outcome, one_time_key_name
from cryptomarket.accounts.person import Profile
from cryptomarket.accounts.seal import Seal, SealBroken
from cryptomarket.backplane.cache import Cache
from cryptomarket.backplane.mailroom import Letter, Mailroom, serve
from cryptomarket.errors import CryptomarketError, ExchangeFatal, ExchangeRetryable, Unavailable
from cryptomarket.secret import Sealed, Secret

IDENTIFY_TIMEOUT_S = 10.0
_RETRY_AFTER_S = 5.0

# docs.deribit.com/articles/errors: the pair is right, and its owner or its key may not do this.
_NOT_ALLOWED = frozenset({10019, 11042, 11098, 12005, 13012, 13021, 13031, 13403, 13668, 13904})

# Says to the door that nothing could be opened; there is no key to seal an answer with.
UNOPENED = b""


class Identifier(Protocol):
    """Who can ask the exchange whose key pair this is."""

    async def identify(self, client_id: str, secret: Secret, *, timeout_s: float) -> Profile:
        """Signs one login and reads its account. Raises ExchangeError as answered, Unavailable or TimeoutError."""
        ...


class Opening:
    """Reads login letters, as many at once as there are login slots; further ones wait in the box, which is bounded."""

    def __init__(
        self,
        *,
        cache: Cache,
        mailroom: Mailroom,
        identifier: Identifier,
        seal_secret: Secret,
        now_ms: Callable[[], int],
        at_once: int,
        timeout_s: float = IDENTIFY_TIMEOUT_S,
    ) -> None:
        self._cache = cache
        self._mailroom = mailroom
        self._identifier = identifier
        self._seal_secret = seal_secret
        self._now_ms = now_ms
        self._at_once = at_once
        self._timeout_s = timeout_s

    async def run(self) -> None:
        """Serves for ever."""
        await serve(self._mailroom, BOX, self.open, at_once=self._at_once)

    async def open(self, letter: Letter) -> bytes:
        """The sealed answer to one letter, or UNOPENED. With anything missing, late or changed it is UNOPENED."""
        try:
            request = msgspec.json.decode(letter.body, type=LoginLetter)
        except msgspec.MsgspecError:
            return UNOPENED
        one_time_key = await self._cache.take(one_time_key_name(request.login_id))
        if one_time_key is None:
            return UNOPENED
        seal = Seal(one_time_key=one_time_key, seal_secret=self._seal_secret, login_id=request.login_id)
        try:
            client_id, secret = seal.open_pair(Sealed(request.sealed.encode()))
        except SealBroken:
            return UNOPENED
        answer = await self._identify(client_id, secret)
        return seal.close_answer(msgspec.json.encode(answer), now_s=self._now_ms() // 1000).token

    async def _identify(self, client_id: str, secret: Secret) -> LoginAnswer:
        try:
            async with asyncio.timeout(self._timeout_s):
                profile = await self._identifier.identify(client_id, secret, timeout_s=self._timeout_s)
        except ExchangeFatal as refusal:
            if refusal.code in _NOT_ALLOWED:
                detail = f"The exchange does not let this key read its own account (code {refusal.code})."
                return LoginAnswer(Outcome.NOT_ALLOWED, detail=detail)
            return LoginAnswer(Outcome.WRONG_PAIR)
        except ExchangeRetryable:
            return LoginAnswer(
                Outcome.UNAVAILABLE, detail="The exchange is busy. Try again.", retry_after_s=_RETRY_AFTER_S
            )
        except Unavailable as away:
            return LoginAnswer(
                Outcome.UNAVAILABLE, detail="The exchange cannot be reached.", retry_after_s=away.retry_after_s
            )
        except (CryptomarketError, TimeoutError):
            return LoginAnswer(
                Outcome.UNAVAILABLE, detail="The exchange did not answer in time.", retry_after_s=_RETRY_AFTER_S
            )
        return LoginAnswer(Outcome.KNOWN, profile=profile)
