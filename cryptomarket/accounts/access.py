"""Who is calling: the dependencies by which every route asks, and what OpenAPI says of them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, cast
from urllib.parse import urlsplit

import structlog
from fastapi import Depends
from starlette.requests import Request

from cryptomarket.accounts.credentials import CLIENT_ID_HEADER, SECRET_HEADER, USER_ID_HEADER, pair_of_headers
from cryptomarket.accounts.parts import AccountsParts
from cryptomarket.accounts.tokens import Claims, IssuedToken, Scope
from cryptomarket.errors import Forbidden, Unauthenticated, Unavailable

COOKIE = "cryptomarket_token"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_DEFAULT_PORTS = {"http": 80, "https": 443}

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and until when he is believed. `origin` is the API key his token came from, or empty."""

    user_id: str
    scope: frozenset[Scope]
    jti: str
    expires_s: int
    origin: str = ""

    def dies_with(self, subject: str) -> bool:
        """Whether the revocation of `subject` (a token's id, or an API key's) ends this caller's streams."""
        return subject == self.jti or (self.origin != "" and subject == self.origin)


@dataclass(frozen=True, slots=True)
class StreamCaller:
    """Who opens a stream. `issued` is there when he came with a key pair: the token to come back with."""

    caller: Caller
    issued: IssuedToken | None


# For the document alone: whoever asks is found by us, in one step (docs/decisions/0022-one-step-to-the-caller.md).
SCHEMES: dict[str, Any] = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An access token of POST /api/v2/auth/token, or of the event `connected`.",
    },
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": "Set by POST /api/v2/auth/token?cookie=true. Unsafe methods, and GETs under /api/v1 that "
        "change state, need `Sec-Fetch-Site: same-origin` or an equal `Origin` with it.",
    },
    "oauth2": {
        "type": "oauth2",
        "description": "An access token for a Deribit key pair (RFC 6749, 4.4); presented like `bearer`.",
        "flows": {
            "clientCredentials": {
                "tokenUrl": "/api/v2/auth/token",
                "scopes": {
                    Scope.PERSON.value: "What a user may do: streams, the saved set, history.",
                    Scope.OPERATOR.value: "What an operator may see. Tokens of API keys alone have it.",
                },
            }
        },
    },
    "basic": {
        "type": "http",
        "scheme": "basic",
        "description": "client_id and client_secret, at POST /api/v2/auth/token alone.",
    },
    # Two headers that count together.
    "client_id": {
        "type": "apiKey",
        "in": "header",
        "name": CLIENT_ID_HEADER,
        "description": "Client id of a Deribit API key, on the stream alone and with `client_secret`. It is a login.",
    },
    "client_secret": {
        "type": "apiKey",
        "in": "header",
        "name": SECRET_HEADER,
        "description": "Client secret of the same key. Come back with the token of `connected`, not with the pair.",
    },
}

# For `openapi_extra` of the stream endpoint. The values are read from the request itself, never passed as arguments.
CREDENTIAL_PARAMETERS: list[dict[str, Any]] = [
    {
        "name": name,
        "in": "header",
        "required": False,
        "description": description,
        "schema": {"type": "string", "maxLength": max_length},
        "example": example,
    }
    for name, max_length, description, example in (
        (CLIENT_ID_HEADER, 128, "Client id of a Deribit API key; with X-Secret-key, instead of a token.", "demo-1"),
        (
            SECRET_HEADER,
            256,
            "Client secret of the same key. Asked of the exchange once, then forgotten.",
            "demo-1-secret",
        ),
        (
            USER_ID_HEADER,
            64,
            "When present it must be the user of the credentials, else 403.",
            "u_mfrggzdfmztwq2lknnwg23tpob",
        ),
    )
]


async def accounts_of(request: Request) -> AccountsParts:
    return cast("AccountsParts", request.state.accounts)


Accounts = Annotated[AccountsParts, Depends(accounts_of)]


def address_of(request: Request) -> str:
    """The peer, as the server tells it. Forwarding headers count only where the server was told to trust them."""
    return request.client.host if request.client is not None else "unknown"


def check_same_origin(request: Request) -> None:
    """Raises Forbidden unless the browser, or an equal Origin, says that the request comes from our own page."""
    if request.headers.get("sec-fetch-site") == "same-origin":
        return
    origin = request.headers.get("origin")
    if origin is not None and _is_own(origin, request):
        return
    raise Forbidden("This request needs 'Sec-Fetch-Site: same-origin' or an Origin equal to this server's.")


async def same_origin(request: Request) -> None:
    """For GETs that change state: with the cookie, they must come from our own page."""
    if _uses_cookie(request):
        check_same_origin(request)


async def known(request: Request) -> Caller:
    """Anybody whom we know, whatever he may do."""
    accounts = await accounts_of(request)
    caller = _caller_of_token(request, accounts)
    await _seen(caller, accounts)
    return caller


async def person(request: Request) -> Caller:
    """Raises Forbidden for tokens without the scope person."""
    return _with(await known(request), Scope.PERSON)


async def operator(request: Request) -> Caller:
    """Raises Forbidden for tokens without the scope operator."""
    return _with(await known(request), Scope.OPERATOR)


async def caller_of_credentials(request: Request) -> StreamCaller:
    """For the stream endpoint: a token, or a key pair in headers, which is a login. Scope person."""
    accounts = await accounts_of(request)
    pair = None if "authorization" in request.headers else pair_of_headers(request.headers)
    if pair is None:
        opened = StreamCaller(_caller_of_token(request, accounts), None)
    else:
        entry = await accounts.login.enter(pair.client_id, pair.secret, address=address_of(request))
        opened = StreamCaller(_caller(entry.token.claims), entry.token)
    _with(opened.caller, Scope.PERSON)
    claimed = request.headers.get(USER_ID_HEADER)
    if claimed is not None and claimed != opened.caller.user_id:
        raise Forbidden(f"{USER_ID_HEADER} is not the user of these credentials.", field=USER_ID_HEADER)
    await _seen(opened.caller, accounts)
    return opened


def check_still_known(caller: Caller, accounts: AccountsParts) -> None:
    """Raises Unauthenticated when the caller's token was revoked since he was let in.

    For a stream, once it is among those that revocations close: one that fell in between would be missed otherwise.
    """
    accounts.revocations.check(caller.jti, caller.origin)


def _tokens(*scopes: Scope) -> list[dict[str, list[str]]]:
    return [{"bearer": []}, {"cookie": []}, {"oauth2": [scope.value for scope in scopes]}]


SECURITY: dict[Callable[..., Awaitable[object]], list[dict[str, list[str]]]] = {
    known: _tokens(),
    person: _tokens(Scope.PERSON),
    operator: _tokens(Scope.OPERATOR),
    caller_of_credentials: [*_tokens(Scope.PERSON), {"client_id": [], "client_secret": []}],
}
"""What the document says of routes that depend on these: one of the list is needed."""

Known = Annotated[Caller, Depends(known)]
Person = Annotated[Caller, Depends(person)]
Operator = Annotated[Caller, Depends(operator)]
StreamEntry = Annotated[StreamCaller, Depends(caller_of_credentials)]


def _caller_of_token(request: Request, accounts: AccountsParts) -> Caller:
    claims = accounts.tokens.read(_presented(request), now_s=accounts.clock.wall_us() / 1_000_000)
    accounts.revocations.check(claims.jti, claims.origin)
    if _uses_cookie(request) and request.method not in _SAFE_METHODS:
        check_same_origin(request)
    return _caller(claims)


def _caller(claims: Claims) -> Caller:
    return Caller(claims.user_id, claims.scope, claims.jti, claims.expires_s, claims.origin)


def _presented(request: Request) -> str:
    header = request.headers.get("authorization")
    if header is not None:
        scheme, _, token = header.partition(" ")
        if scheme.lower() == "bearer" and token.strip():
            return token.strip()
    elif cookie := request.cookies.get(COOKIE):
        return cookie
    raise Unauthenticated("An access token is needed: 'Authorization: Bearer <token>', or the cookie.")


def _uses_cookie(request: Request) -> bool:
    return "authorization" not in request.headers and COOKIE in request.cookies


def _with(caller: Caller, scope: Scope) -> Caller:
    if scope not in caller.scope:
        raise Forbidden(f"This needs a token with the scope {scope.value}.")
    return caller


async def _seen(caller: Caller, accounts: AccountsParts) -> None:
    accounts.on_seen(caller.user_id)
    try:
        await accounts.profiles.seen(caller.user_id)
    except Unavailable:
        # That somebody was here is not worth turning him away.
        log.warning("profile_not_renewed", user_id=caller.user_id)


def _is_own(origin: str, request: Request) -> bool:
    own = _origin_of(f"{request.url.scheme}://{request.headers.get('host', '')}")
    return own is not None and _origin_of(origin) == own


def _origin_of(text: str) -> tuple[str, str, int] | None:
    """Scheme, host and port (RFC 6454, 4); None for what has none, such as `null`."""
    try:
        parsed = urlsplit(text)
        port = parsed.port or _DEFAULT_PORTS.get(parsed.scheme)
    except ValueError:
        return None
    if not parsed.hostname or port is None:
        return None
    return parsed.scheme, parsed.hostname, port
