"""The gateway's own API keys: shown once when they are made, stored as digests."""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from cryptomarket.accounts.person import RandomBytes
from cryptomarket.accounts.repository import AccountsRepository, StoredKey
from cryptomarket.accounts.revocations import Revocations
from cryptomarket.accounts.tokens import Scope, read_scope, scope_text
from cryptomarket.errors import Impossible, NotFound, Unauthenticated
from cryptomarket.secret import Secret

log = structlog.get_logger(__name__)

_FORM = re.compile(r"cmk_([a-z2-7]{12})_([0-9a-f]{64})", re.ASCII)
_MAX_NAME_CHARACTERS = 100
# Compared with when there is no such key, so that the answer takes as long.
_NO_DIGEST = bytes(32)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made; `text` is not known again afterwards."""

    text: Secret
    stored: StoredKey


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """Whom a valid key stands for."""

    key_id: str
    user_id: str
    scope: frozenset[Scope]


class ApiKeys:
    """256 random bits need no slow hash: SHA-256 and a comparison in constant time are enough."""

    def __init__(
        self,
        repository: AccountsRepository,
        revocations: Revocations,
        *,
        now_ms: Callable[[], int],
        random_bytes: RandomBytes,
    ) -> None:
        self._repository = repository
        self._revocations = revocations
        self._now_ms = now_ms
        self._random_bytes = random_bytes

    async def create(self, name: str, *, scope: frozenset[Scope], user_id: str | None = None) -> NewKey:
        """Raises Impossible for an empty or endless name, no scope, or a person's without a person; NotFound when
        `user_id` is nobody's.
        """
        if not name.strip() or len(name) > _MAX_NAME_CHARACTERS or not name.isprintable():
            raise Impossible(f"A key's name has 1 to {_MAX_NAME_CHARACTERS} printable characters.", field="name")
        if not scope:
            raise Impossible("A key has the scope person, operator, or both.", field="scope")
        if Scope.PERSON in scope and user_id is None:
            raise Impossible("A key with the scope person acts for a user: say for whom (--user-id).", field="user_id")
        if user_id is not None and await self._repository.person(user_id) is None:
            raise NotFound("There is no such user.", field="user_id")
        key_id = base64.b32encode(self._random_bytes(10)).decode("ascii").lower()[:12]
        text = Secret(f"cmk_{key_id}_{self._random_bytes(32).hex()}")
        stored = StoredKey(key_id, _digest(text), name, user_id, scope_text(scope), self._now_ms(), None)
        await self._repository.add_key(stored)
        return NewKey(text, stored)

    async def list(self) -> list[StoredKey]:
        return await self._repository.keys()

    async def revoke(self, key_id: str) -> None:
        """The key, and every token that was given for it. Raises NotFound."""
        if not await self._repository.revoke_key(key_id, now_ms=self._now_ms()):
            raise NotFound("There is no such key, or it was revoked before.", field="key_id")
        await self._revocations.revoke_origin(origin_of(key_id))

    async def holder(self, presented: Secret) -> KeyHolder:
        """Raises Unauthenticated when the key is not one of ours, or was revoked."""
        key_id = key_id_of(presented)
        stored = await self._repository.key(key_id) if key_id else None
        matches = hmac.compare_digest(_digest(presented), _NO_DIGEST if stored is None else stored.digest)
        if stored is None or not matches or stored.revoked_ms is not None:
            log.info("login", means="api key", outcome=Unauthenticated.__name__)
            raise Unauthenticated("The API key is not valid.")
        log.info("login", means="api key", outcome="let in", key_id=key_id)
        return KeyHolder(stored.key_id, stored.user_id or f"k_{stored.key_id}", read_scope(stored.scope))


def origin_of(key_id: str) -> str:
    """The subject whose revocation ends every token of this key."""
    return f"key:{key_id}"


def key_id_of(presented: Secret) -> str:
    """The open part of a key's text, or empty when it is none."""
    match = _FORM.fullmatch(presented.reveal())
    return match.group(1) if match else ""


def _digest(text: Secret) -> bytes:
    return hashlib.sha256(text.reveal().encode()).digest()
