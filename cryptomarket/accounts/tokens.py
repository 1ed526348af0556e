"""Access tokens: JSON Web Tokens (RFC 7519) that name a user, an exchange and a scope, and expire."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Any

import jwt

from cryptomarket.errors import StartRefused, Unauthenticated
from cryptomarket.secret import Secret

ISSUER = "cryptomarket"
# Pinned: what the token's own header says of its algorithm is never believed (RFC 8725, 3.1).
ALGORITHM = "HS256"
MIN_KEY_BYTES = 32
MAX_TOKEN_CHARACTERS = 2048

# So many tokens that were read before are known again.
REMEMBERED = 4096

# Of the year 9999; numbers beyond it are no times.
_LAST_SECOND = 253_402_300_799

_REQUIRED = ["iss", "sub", "aud", "exp", "iat", "jti", "scope"]
# The registered claims are checked by the library; the times by us, since the clock is an argument.
_OPTIONS: dict[str, Any] = {
    "require": _REQUIRED,
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
    "strict_aud": True,
}


class Scope(StrEnum):
    """What a token may do: a person's own things, or the gateway's operation. Neither includes the other."""

    PERSON = "person"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Claims:
    """What a valid token says. `origin` is the id of the API key it was given for, or empty."""

    user_id: str
    scope: frozenset[Scope]
    jti: str
    issued_s: int
    expires_s: int
    origin: str = ""

    def dies_with(self, subject: str) -> bool:
        """Whether a revocation of `subject` ends this token: its own id, or that of the key it came from."""
        return subject == self.jti or (self.origin != "" and subject == self.origin)


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """`access_token` is what its bearer presents; it is not shown."""

    access_token: str = field(repr=False)
    claims: Claims
    expires_in_s: int


def scope_text(scope: frozenset[Scope]) -> str:
    return " ".join(sorted(scope, reverse=True))


def read_scope(text: str) -> frozenset[Scope]:
    """Names that are not known give nothing."""
    known = {scope.value for scope in Scope}
    return frozenset(Scope(name) for name in text.split() if name in known)


class Tokens:
    """Issues and reads the tokens of one exchange."""

    def __init__(self, *, key: Secret, exchange: str, life_s: int, new_id: Callable[[], str]) -> None:
        if len(key.reveal().encode()) < MIN_KEY_BYTES:
            raise StartRefused(f"TOKEN_KEY is shorter than the {MIN_KEY_BYTES} bytes that HS256 needs (RFC 7518, 3.2).")
        self._key = key
        self.exchange = exchange
        self._new_id = new_id
        self.life_s = life_s
        # What tokens say that were found to be ours, by their digests, whoever came last at the end. Bound: REMEMBERED.
        self._read: dict[bytes, Claims] = {}

    def issue(self, user_id: str, scope: frozenset[Scope], *, now_s: float, origin: str = "") -> IssuedToken:
        issued_s = int(now_s)
        claims = Claims(user_id, scope, self._new_id(), issued_s, issued_s + self.life_s, origin)
        payload: dict[str, str | int] = {
            "iss": ISSUER,
            "sub": claims.user_id,
            "aud": self.exchange,
            "exp": claims.expires_s,
            "iat": claims.issued_s,
            "jti": claims.jti,
            "scope": scope_text(scope),
        }
        if origin:
            payload["origin"] = origin
        return IssuedToken(jwt.encode(payload, self._key.reveal(), algorithm=ALGORITHM), claims, self.life_s)

    def read(self, access_token: str, *, now_s: float) -> Claims:
        """Raises Unauthenticated when the token is not ours, not of this exchange, changed, or expired."""
        claims = self._known(access_token)
        if claims is None:
            raise Unauthenticated("The access token is not valid here.")
        if now_s >= claims.expires_s:
            raise Unauthenticated("The access token has expired.")
        return claims

    def _known(self, access_token: str) -> Claims | None:
        if len(access_token) > MAX_TOKEN_CHARACTERS:
            return None
        # A signature is true for ever; whether its time is over, or it was revoked, is asked each time.
        digest = sha256(access_token.encode("utf-8", "surrogatepass")).digest()
        claims = self._read.pop(digest, None)
        if claims is None:
            payload = self._payload(access_token)
            claims = None if payload is None else _claims(payload)
        if claims is not None:
            self._read[digest] = claims
            if len(self._read) > REMEMBERED:
                del self._read[next(iter(self._read))]
        return claims

    def _payload(self, access_token: str) -> dict[str, Any] | None:
        try:
            return jwt.decode(
                access_token,
                self._key.reveal(),
                algorithms=[ALGORITHM],
                audience=self.exchange,
                issuer=ISSUER,
                options=_OPTIONS,  # type: ignore[arg-type]
            )
        except (jwt.PyJWTError, ValueError, UnicodeError):
            return None


def _claims(payload: dict[str, Any]) -> Claims | None:
    user_id, jti, scope, origin = (payload.get(name, "") for name in ("sub", "jti", "scope", "origin"))
    if not all(isinstance(text, str) for text in (user_id, jti, scope, origin)):
        return None
    issued_s, expires_s = payload["iat"], payload["exp"]
    if not _is_time(issued_s) or not _is_time(expires_s):
        return None
    return Claims(user_id, read_scope(scope), jti, issued_s, expires_s, origin)


def _is_time(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LAST_SECOND
