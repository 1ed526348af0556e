"""Demo accounts without bound, and the tokens they get."""

import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from cryptomarket.simulator.refusals import Refusal

_MOST_GRANTS: Final = 20_000
"""Grants that are kept; beyond it expired ones are forgotten, and can no longer be refreshed."""
_DEMO: Final = re.compile(r"demo-([1-9][0-9]{0,11})")


@dataclass(frozen=True, slots=True)
class Account:
    """``demo-N`` with secret ``demo-N-secret``, for every N from 1."""

    number: int

    @property
    def client_id(self) -> str:
        return f"demo-{self.number}"

    @property
    def secret(self) -> str:
        return f"demo-{self.number}-secret"

    @property
    def email(self) -> str:
        return f"demo-{self.number}@example.com"

    @property
    def id(self) -> int:
        return 10_000 + self.number


@dataclass(slots=True)
class Grant:
    """What a login obtained. ``connection`` is the socket it dies with; None for session scope and over HTTP."""

    account: Account
    scope: str
    access_token: str
    refresh_token: str
    issued_us: int
    expires_us: int
    life_s: int
    connection: int | None
    session: str | None = None


def account(client_id: object) -> Account | None:
    """The account of a client id."""
    found = _DEMO.fullmatch(client_id) if isinstance(client_id, str) else None
    return Account(int(found[1])) if found else None


def websocket_signature(secret: str, timestamp: str, nonce: str, data: str) -> str:
    """Signature of a login over WebSocket (docs.deribit.com/articles/authentication)."""
    text = f"{timestamp}\n{nonce}\n{data}"
    return hmac.new(secret.encode(), text.encode(), sha256).hexdigest()


def http_signature(secret: str, timestamp: str, nonce: str, method: str, uri: str, body: str) -> str:
    """Signature of one HTTP request, header ``Authorization: deri-hmac-sha256`` (same page)."""
    text = f"{timestamp}\n{nonce}\n{method}\n{uri}\n{body}\n"
    return hmac.new(secret.encode(), text.encode(), sha256).hexdigest()


class Accounts:
    """Checks credentials and keeps the grants.

    Args:
        token_life_s: life of access tokens.
        window_s: how far a signature's time may lie from ours.
        max_sessions: grants of one client id; one more evicts the oldest.
        random_text: makes the unguessable part of a token.
    """

    def __init__(
        self, *, token_life_s: int, window_s: float, max_sessions: int, random_text: Callable[[int], str]
    ) -> None:
        self._token_life_s = token_life_s
        self._window_us = int(window_s * 1e6)
        self._max_sessions = max_sessions
        self._random_text = random_text
        self._by_access: dict[str, Grant] = {}
        self._by_refresh: dict[str, Grant] = {}

    def by_secret(self, client_id: object, secret: object) -> Account:
        """The account whose secret was presented.

        Raises:
            Refusal: 13004, without data.
        """
        found = account(client_id)
        if found is None or not isinstance(secret, str) or not _same(secret, found.secret):
            raise Refusal(13004)
        return found

    def by_signature(
        self, client_id: object, timestamp: str, signature: str, now_us: int, sign: Callable[[str], str]
    ) -> Account:
        """The account that signed; ``sign`` computes the right signature from a secret.

        Raises:
            Refusal: 13004 for a wrong signature and for one that is too old.
        """
        found = account(client_id)
        if found is None or not timestamp.isdecimal() or not _same(signature, sign(found.secret)):
            raise Refusal(13004)
        if abs(int(timestamp) * 1000 - now_us) > self._window_us:
            raise Refusal(13004)
        return found

    def grant(self, account: Account, requested: str, connection: int | None, now_us: int) -> Grant:
        """Issues tokens. The scope is narrowed to what a demo account may do; ``connection`` is the default."""
        if len(self._by_access) > _MOST_GRANTS:
            for old in [known for known in self._by_access.values() if known.expires_us <= now_us]:
                self.revoke(old)
        words = requested.split()
        session = next((word.partition(":")[2] for word in words if word.startswith("session:")), None)
        life_s = self._token_life_s
        for word in words:
            name, _, value = word.partition(":")
            if name == "expires" and value.isdecimal() and int(value) > 0:
                life_s = min(life_s, int(value))
        scope = _scope(words, session)
        bound = None if session else connection
        grant = self._issue(account, scope, bound, session, life_s, now_us)
        mine = [known for known in self._by_access.values() if known.account == account]
        for old in sorted(mine, key=lambda known: known.issued_us)[: max(0, len(mine) - self._max_sessions)]:
            self.revoke(old)
        return grant

    def refresh(self, refresh_token: str, connection: int | None, now_us: int) -> Grant:
        """New access and refresh tokens for a refresh token; the old ones are void.

        Raises:
            Refusal: 13009 when the token is unknown.
        """
        old = self._by_refresh.get(refresh_token)
        if old is None:
            raise Refusal(13009, {"reason": "invalid_token"})
        self.revoke(old)
        bound = None if old.session else connection
        return self._issue(old.account, old.scope, bound, old.session, old.life_s, now_us)

    def find(self, access_token: object, now_us: int) -> Grant | None:
        """The grant of an access token that is still good."""
        grant = self._by_access.get(access_token) if isinstance(access_token, str) else None
        return grant if grant is not None and grant.expires_us > now_us else None

    def by_refresh_token(self, refresh_token: str) -> Grant | None:
        """The grant of a refresh token."""
        return self._by_refresh.get(refresh_token)

    def known(self, access_token: object) -> bool:
        """Whether an access token was issued and not revoked, good or expired."""
        return isinstance(access_token, str) and access_token in self._by_access

    def revoke(self, grant: Grant) -> None:
        """Ends a grant; its refresh token goes with it."""
        self._by_access.pop(grant.access_token, None)
        self._by_refresh.pop(grant.refresh_token, None)

    def expire(self, client_ids: Callable[[str], bool], now_us: int) -> int:
        """Makes matching access tokens expire now; their refresh tokens stay good. Answers how many."""
        found = [grant for grant in self._by_access.values() if client_ids(grant.account.client_id)]
        for grant in found:
            grant.expires_us = min(grant.expires_us, now_us)
        return len(found)

    def hang_up(self, connection: int) -> None:
        """A socket closed: what was bound to it ends."""
        for grant in [grant for grant in self._by_access.values() if grant.connection == connection]:
            self.revoke(grant)

    def _issue(
        self, account: Account, scope: str, connection: int | None, session: str | None, life_s: int, now_us: int
    ) -> Grant:
        expires_us = now_us + life_s * 1_000_000
        access, refresh = (f"{expires_us // 1000}.{self._random_text(6)}.{self._random_text(148)}" for _ in range(2))
        grant = Grant(account, scope, access, refresh, now_us, expires_us, life_s, connection, session)
        self._by_access[access] = grant
        self._by_refresh[refresh] = grant
        return grant


def _scope(words: list[str], session: str | None) -> str:
    life = f"session:{session}" if session else "connection"
    asked = [word for word in words if word.partition(":")[0] in ("account", "trade", "wallet", "block_trade")]
    # Demo accounts look but do not trade: read_write is narrowed to read, as the server may do.
    narrowed = [word.replace(":read_write", ":read") for word in asked if not word.endswith(":none")]
    default = ["account:read", "trade:read", "wallet:read", "block_trade:read"]
    return " ".join([*(narrowed or default), life, "mainaccount"])


def _same(left: str, right: str) -> bool:
    return hmac.compare_digest(left.encode(), right.encode())
