"""What callers send and see."""

from typing import Any, Literal

from pydantic import BaseModel, Field

_USER_ID = "u_mfrggzdfmztwq2lknnwg23tpob"


class TokenAnswer(BaseModel):
    """RFC 6749, 5.1, and whose token it is."""

    access_token: str = Field(examples=["eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ1X21mcmcifQ.c2lnbmF0dXJl"])
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - the name of a kind
    expires_in: int = Field(description="Seconds.", examples=[86400])
    user_id: str = Field(examples=[_USER_ID])
    scope: str = Field(description="Separated by spaces.", examples=["person"])


class RevokedAnswer(BaseModel):
    """The token that was presented is dead."""

    revoked: Literal[True] = True
    user_id: str = Field(examples=[_USER_ID])


class MeAnswer(BaseModel):
    """Who the caller is. The fields of the exchange are null for an API key that belongs to no person."""

    user_id: str = Field(examples=[_USER_ID])
    exchange: str = Field(examples=["simulator"])
    deribit_id: int | None = Field(examples=[10001])
    email: str | None = Field(examples=["demo-1@example.com"])
    username: str | None = Field(examples=["demo-1"])
    system_name: str | None = Field(examples=["demo-1"])
    type: str | None = Field(description="`main` or `subaccount`.", examples=["main"])
    last_seen_ms: int | None = Field(description="Exact to a minute.", examples=[1768768182422])


_VISIBLE_ASCII = "^[!-~]+$"
_PAIR_FIELDS: dict[str, Any] = {
    "type": "object",
    "title": "Key pair",
    "description": "Both of the pair, or neither with HTTP Basic.",
    "required": ["grant_type"],
    "dependentRequired": {"client_id": ["client_secret"], "client_secret": ["client_id"]},
    "properties": {
        "grant_type": {"const": "client_credentials"},
        "client_id": {
            "type": "string",
            "maxLength": 128,
            "pattern": _VISIBLE_ASCII,
            "description": "Of a Deribit API key.",
        },
        "client_secret": {
            "type": "string",
            "maxLength": 256,
            "pattern": _VISIBLE_ASCII,
            "format": "password",
            "description": "Its secret.",
        },
    },
}
_KEY_FIELDS: dict[str, Any] = {
    "type": "object",
    "title": "API key",
    "required": ["grant_type", "api_key"],
    "properties": {
        "grant_type": {"const": "api_key"},
        "api_key": {"type": "string", "format": "password", "description": "A key of `cryptomarket keys create`."},
    },
}
_TOKEN_FIELDS: dict[str, Any] = {"oneOf": [_PAIR_FIELDS, _KEY_FIELDS]}
_TOKEN_EXAMPLES: dict[str, Any] = {
    "key pair": {
        "value": {"grant_type": "client_credentials", "client_id": "demo-1", "client_secret": "demo-1-secret"},
    },
    "API key": {"value": {"grant_type": "api_key", "api_key": "cmk_abcdefghijkl_<64 hexadecimal digits>"}},
}

TOKEN_200: dict[int | str, dict[str, Any]] = {
    200: {
        "headers": {
            "Cache-Control": {
                "description": "Nobody may keep it (RFC 6749, 5.1)",
                "schema": {"type": "string", "const": "no-store"},
            },
            "Set-Cookie": {
                "description": "With `cookie=true` alone: the token for a browser's own EventSource",
                "schema": {"type": "string"},
                "example": "cryptomarket_token=…; HttpOnly; Max-Age=86400; Path=/; SameSite=strict",
            },
        },
    }
}

# Declared by hand, because the body is read by hand: so no layer above ever holds the secret as plain text.
TOKEN_REQUEST_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            kind: {"schema": _TOKEN_FIELDS, "examples": _TOKEN_EXAMPLES}
            for kind in ("application/x-www-form-urlencoded", "application/json")
        },
    }
}
