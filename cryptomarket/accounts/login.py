"""The door: a key pair comes in, a person and a token go out. The exchange is asked every time."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import structlog

from cryptomarket.accounts.letters import BOX, KEY_LIFE_S, LoginAnswer, LoginLetter, Outcome, one_time_key_name
from cryptomarket.accounts.person import Person, RandomBytes, new_user_id
from cryptomarket.accounts.profiles import Profiles
from cryptomarket.accounts.repository import AccountsRepository
from cryptomarket.accounts.seal import ONE_TIME_KEY_BYTES, Seal, SealBroken
from cryptomarket.accounts.throttle import Throttle
from cryptomarket.accounts.tokens import IssuedToken, Scope, Tokens
from cryptomarket.backplane.cache import Cache
from cryptomarket.backplane.mailroom import Mailroom
from cryptomarket.errors import (
    BusUnavailable,
    ExchangeUnavailable,
    Forbidden,
    Malformed,
    Refusal,
    Unauthenticated,
    Unavailable,
)
from cryptomarket.secret import Sealed, Secret

log = structlog.get_logger(__name__)

MAX_CLIENT_ID_CHARACTERS = 128
MAX_SECRET_CHARACTERS = 256
# Shorter than the one-time key's life: nobody waits for a letter that can't be opened any more.
DEFAULT_TIMEOUT_S = 12.0

# Everything else (control characters, line ends, other alphabets) is in no Deribit key, and is not passed on.
_VISIBLE_ASCII = re.compile(r"[\x21-\x7e]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Entry:
    """Someone who has just come in."""

    person: Person
    token: IssuedToken


class Login:
    """Sends the sealed pair to whoever holds the exchange session, and believes only a sealed answer."""

    def __init__(
        self,
        *,
        cache: Cache,
        mailroom: Mailroom,
        throttle: Throttle,
        repository: AccountsRepository,
        profiles: Profiles,
        tokens: Tokens,
        seal_secret: Secret,
        now_ms: Callable[[], int],
        random_bytes: RandomBytes,
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> None:
        self._cache = cache
        self._mailroom = mailroom
        self._throttle = throttle
        self._repository = repository
        self._profiles = profiles
        self._tokens = tokens
        self._seal_secret = seal_secret
        self._now_ms = now_ms
        self._random_bytes = random_bytes
        self._timeout_s = timeout_s

    async def enter(self, client_id: str, secret: Secret, *, address: str) -> Entry:
        """Asks the exchange once.

        Raises Malformed for what no key pair can be, TooMany after too many failures, Unauthenticated for a wrong
        pair, Forbidden when the key may not read its own account, ExchangeUnavailable when there is no answer.
        """
        try:
            entry = await self._enter(client_id, secret, address)
        except (Refusal, Unavailable) as refusal:
            log.info("login", means="key pair", outcome=type(refusal).__name__)
            raise
        log.info("login", means="key pair", outcome="let in", user_id=entry.person.user_id)
        return entry

    async def _enter(self, client_id: str, secret: Secret, address: str) -> Entry:
        check_pair(client_id, secret)
        await self._throttle.check(address, client_id)
        answer = await self._ask(client_id, secret)
        if answer.outcome is Outcome.WRONG_PAIR:
            await self._throttle.failed(address, client_id)
            raise Unauthenticated("The exchange does not know this client id with this secret.")
        if answer.outcome is Outcome.NOT_ALLOWED:
            raise Forbidden(answer.detail)
        if answer.profile is None:
            raise ExchangeUnavailable(
                answer.detail or "The exchange cannot be asked now.", retry_after_s=answer.retry_after_s or 5.0
            )
        await self._throttle.succeeded(client_id)
        now_ms = self._now_ms()
        person = await self._repository.identify(
            self._tokens.exchange, answer.profile, new_user_id=new_user_id(self._random_bytes), now_ms=now_ms
        )
        await self._profiles.keep(person)
        token = self._tokens.issue(person.user_id, frozenset({Scope.PERSON}), now_s=now_ms / 1000)
        return Entry(person, token)

    async def _ask(self, client_id: str, secret: Secret) -> LoginAnswer:
        login_id = self._random_bytes(16).hex()
        one_time_key = self._random_bytes(ONE_TIME_KEY_BYTES)
        seal = Seal(one_time_key=one_time_key, seal_secret=self._seal_secret, login_id=login_id)
        sealed = seal.close_pair(client_id, secret, now_s=self._now_ms() // 1000)
        letter = LoginLetter(login_id, sealed.token.decode("ascii"))
        await self._cache.put(one_time_key_name(login_id), one_time_key, life_s=KEY_LIFE_S)
        try:
            body = await self._mailroom.ask(BOX, msgspec.json.encode(letter), timeout_s=self._timeout_s)
        except BusUnavailable:
            raise
        except Unavailable as unavailable:
            detail = "The exchange cannot be asked now: nobody who could has answered."
            raise ExchangeUnavailable(detail, retry_after_s=unavailable.retry_after_s) from None
        finally:
            # An unopened letter must not be openable later.
            await self._cache.delete(one_time_key_name(login_id))
        return _read_answer(seal, body)


def check_pair(client_id: str, secret: Secret) -> None:
    """Raises Malformed, which names the field and never shows what was in it."""
    if len(client_id) > MAX_CLIENT_ID_CHARACTERS or not _VISIBLE_ASCII.fullmatch(client_id):
        raise Malformed(
            f"The client id is 1 to {MAX_CLIENT_ID_CHARACTERS} visible ASCII characters.", field="client_id"
        )
    if len(secret.reveal()) > MAX_SECRET_CHARACTERS or not _VISIBLE_ASCII.fullmatch(secret.reveal()):
        raise Malformed(
            f"The client secret is 1 to {MAX_SECRET_CHARACTERS} visible ASCII characters.", field="client_secret"
        )


def _read_answer(seal: Seal, body: bytes) -> LoginAnswer:
    try:
        return msgspec.json.decode(seal.open_answer(Sealed(body)), type=LoginAnswer)
    except (SealBroken, msgspec.MsgspecError):
        # Too late for the one-time key, or not from one who knows SEAL_SECRET.
        raise ExchangeUnavailable("The login was not answered in time. Try again.", retry_after_s=1.0) from None
