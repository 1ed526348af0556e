"""Logging in: a key pair, its signature, and a token with the moment of its refresh.

Source: docs.deribit.com/articles/authentication
"""

import hashlib
import hmac
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from cryptomarket.deribit.messages import AuthResult
from cryptomarket.secret import Secret

# At four fifths of its life a token still works while a refresh that fails can be tried again.
REFRESH_AT = 0.8

Params = dict[str, object]


class Grant(StrEnum):
    """How a key pair logs in. A signature proves the secret without sending it; the exchange accepts one for 60 s, so
    it needs a clock that is right. `client_credentials` sends the secret itself, under TLS alone.
    """

    SIGNATURE = "client_signature"
    CREDENTIALS = "client_credentials"


@dataclass(frozen=True, slots=True)
class ClientKey:
    """A Deribit API key pair."""

    client_id: str
    secret: Secret


def signature(secret: Secret, *, timestamp_ms: int, nonce: str, data: str = "") -> str:
    """Lower-case hexadecimal HMAC-SHA256 over the timestamp, the nonce and the data, one line each.

    Both line ends are part of it, even when `data` is empty (docs.deribit.com/articles/authentication).
    """
    text = f"{timestamp_ms}\n{nonce}\n{data}"
    return hmac.new(secret.reveal().encode(), text.encode(), hashlib.sha256).hexdigest()


def signed(key: ClientKey, *, scope: str, timestamp_ms: int, nonce: str) -> Params:
    """Parameters of public/auth that prove the secret without containing it."""
    return {
        "grant_type": Grant.SIGNATURE.value,
        "client_id": key.client_id,
        "timestamp": timestamp_ms,
        "nonce": nonce,
        "data": "",
        "signature": signature(key.secret, timestamp_ms=timestamp_ms, nonce=nonce),
        "scope": scope,
    }


def spelled_out(key: ClientKey, *, scope: str) -> Params:
    """Parameters of public/auth that contain the secret. For the gateway's own key only, never for a user's."""
    return {
        "grant_type": Grant.CREDENTIALS.value,
        "client_id": key.client_id,
        "client_secret": key.secret.reveal(),
        "scope": scope,
    }


@dataclass(frozen=True, slots=True)
class Token:
    """What a login gave. Both texts are secrets; `granted_s` and the moments derived from it on the asker's clock."""

    access: Secret
    refresh: Secret
    granted_s: float
    expires_in_s: float
    scope: str = ""

    @property
    def refresh_at_s(self) -> float:
        """When to get the next one: at 80 % of this one's life."""
        return self.granted_s + REFRESH_AT * self.expires_in_s

    def is_expired(self, now_s: float) -> bool:
        """Whether the exchange no longer takes it."""
        return now_s >= self.granted_s + self.expires_in_s

    def renewal(self) -> Params:
        """Parameters of public/auth for the next token. On a connection's scope, this one dies with it."""
        return {"grant_type": "refresh_token", "refresh_token": self.refresh.reveal()}

    @classmethod
    def of(cls, result: msgspec.Raw | bytes, *, now_s: float) -> "Token":
        """The token in the result of public/auth. How long it lives is read, never assumed: 900 s and a year are
        both on record. Raises msgspec.ValidationError on what is no such result.
        """
        told = _decoder.decode(result)
        return cls(Secret(told.access_token), Secret(told.refresh_token), now_s, told.expires_in, told.scope)


_decoder = msgspec.json.Decoder(AuthResult)
