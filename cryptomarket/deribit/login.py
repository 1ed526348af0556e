"""Logins: the gateway's own key on the data slots, and users' keys, each once, on a login slot."""

from collections.abc import Callable
from typing import Protocol

import msgspec

from cryptomarket.clock import Clock
from cryptomarket.deribit.auth import ClientKey, Grant, Token, signed, spelled_out
from cryptomarket.deribit.mapping import Unmappable, person_of
from cryptomarket.deribit.messages import AccountHolder
from cryptomarket.errors import ExchangeFatal, ExchangeUnavailable

# Raw market data needs a login and no rights at all (docs.deribit.com/articles/access-scope).
OWN_SCOPE = "connection account:none trade:none wallet:none"
# Enough to ask once who it is. Should the logout get lost, the token still dies within a minute.
USER_SCOPE = "account:read connection expires:60"


class Asker(Protocol):
    """One connection, on which a login counts for what is asked after it."""

    async def ask(self, method: str, params: dict[str, object]) -> msgspec.Raw | bytes:
        """The result of one request, paid for. Raises ExchangeRetryable, ExchangeFatal and ExchangeUnavailable."""
        ...


class OwnKey:
    """The gateway's own key, shared by the data sessions. Once refused it is not tried again."""

    def __init__(self, key: ClientKey | None, grant: Grant, *, clock: Clock, random: Callable[[], float]) -> None:
        self._key = key
        self._grant = grant
        self._clock = clock
        self._random = random

    @property
    def usable(self) -> bool:
        """Whether there is a key that the exchange has not refused."""
        return self._key is not None

    async def login(self, asker: Asker) -> Token | None:
        """Logs in on one connection; None when there is no key, or when the exchange refuses it for good."""
        if self._key is None:
            return None
        if self._grant is Grant.SIGNATURE:
            params = signed(
                self._key, scope=OWN_SCOPE, timestamp_ms=self._clock.wall_ms(), nonce=nonce_of(self._random)
            )
        else:
            params = spelled_out(self._key, scope=OWN_SCOPE)
        try:
            return await self._token(asker, params)
        except ExchangeFatal:
            self._key = None
            raise

    async def renew(self, asker: Asker, token: Token) -> Token | None:
        """The next token, in exchange for the present one or, when that isn't taken any more, by a new login."""
        if not token.is_expired(self._clock.monotonic_s()):
            try:
                return await self._token(asker, token.renewal())
            except ExchangeFatal:
                return await self.login(asker)
        return await self.login(asker)

    async def _token(self, asker: Asker, params: dict[str, object]) -> Token:
        result = await asker.ask("public/auth", params)
        try:
            return Token.of(result, now_s=self._clock.monotonic_s())
        except msgspec.DecodeError as error:
            raise ExchangeUnavailable("The exchange's answer to a login can't be read.") from error


async def account_holder(asker: Asker, key: ClientKey, *, timestamp_ms: int, nonce: str) -> AccountHolder:
    """Who is behind a key pair. Afterwards the connection is logged in as him, and of no other use.

    Raises ExchangeFatal (13004) for a pair that is none.
    """
    await asker.ask("public/auth", signed(key, scope=USER_SCOPE, timestamp_ms=timestamp_ms, nonce=nonce))
    result = await asker.ask("private/get_account_summary", {"currency": "BTC", "extended": True})
    try:
        return person_of(result)
    except Unmappable as unmappable:
        raise ExchangeUnavailable("The exchange's answer about the account can't be read.") from unmappable


def nonce_of(random: Callable[[], float]) -> str:
    """A text that makes two signatures of one millisecond differ."""
    return f"{int(random() * 2**52):013x}"
