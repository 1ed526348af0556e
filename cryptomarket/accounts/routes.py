"""Logging in, logging out, and who one is."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from cryptomarket.accounts.access import (
    COOKIE,
    Accounts,
    Known,
    address_of,
    check_same_origin,
)
from cryptomarket.accounts.credentials import KeyGrant, read_grant
from cryptomarket.accounts.keys import key_id_of, origin_of
from cryptomarket.accounts.parts import AccountsParts
from cryptomarket.accounts.schemas import TOKEN_200, TOKEN_REQUEST_BODY, MeAnswer, RevokedAnswer, TokenAnswer
from cryptomarket.accounts.tokens import IssuedToken, scope_text
from cryptomarket.errors import Unauthenticated
from cryptomarket.problems import problem_responses

router = APIRouter(prefix="/api/v2", tags=["accounts"])

FOREIGN = (
    "Forbidden",
    "This request needs 'Sec-Fetch-Site: same-origin' or an Origin equal to this server's.",
    None,
)


@router.post(
    "/auth/token",
    operation_id="create_token",
    summary="Exchange a Deribit key pair, or an API key of the gateway, for an access token",
    description="OAuth 2 client credentials (RFC 6749, 4.4), as a form, as JSON, or with HTTP Basic. The exchange is "
    "asked every time, once; its answer decides. The secret is forgotten afterwards. Failed logins are slowed per "
    "address and per client id.",
    responses=TOKEN_200
    | problem_responses(
        400,
        401,
        403,
        413,
        429,
        503,
        shown={
            400: ("Malformed request", "The field client_secret is missing.", "client_secret"),
            401: ("Not authenticated", "The exchange does not know this client id with this secret.", None),
            403: ("Forbidden", "The exchange does not let this key read its own account (code 13021).", None),
            503: ("The exchange is unavailable", "The exchange cannot be asked now.", None),
        },
    ),
    openapi_extra=TOKEN_REQUEST_BODY | {"security": [{"basic": []}, {}]},
)
async def create_token(
    request: Request,
    response: Response,
    accounts: Accounts,
    cookie: Annotated[
        bool,
        Query(description="Also sets the token as an HttpOnly, SameSite=Strict cookie. From our own pages alone."),
    ] = False,
) -> TokenAnswer:
    if cookie:
        check_same_origin(request)
    grant = await read_grant(request)
    if isinstance(grant, KeyGrant):
        issued = await _token_of_key(accounts, grant, address_of(request))
    else:
        entry = await accounts.login.enter(grant.client_id, grant.secret, address=address_of(request))
        issued = entry.token
    accounts.on_seen(issued.claims.user_id)
    response.headers["Cache-Control"] = "no-store"
    if cookie:
        _set_cookie(request, response, issued)
    return TokenAnswer(
        access_token=issued.access_token,
        expires_in=issued.expires_in_s,
        user_id=issued.claims.user_id,
        scope=scope_text(issued.claims.scope),
    )


@router.post(
    "/auth/revoke",
    operation_id="revoke_token",
    summary="Revoke the token that is presented",
    description="It dies in every process within a second, streams opened with it are closed with `revoked`, and it "
    "stays dead after a restart.",
    responses=problem_responses(401, 403, 503, shown={403: FOREIGN}),
)
async def revoke_token(response: Response, accounts: Accounts, caller: Known) -> RevokedAnswer:
    await accounts.revocations.revoke(caller.jti, expires_s=caller.expires_s)
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
    return RevokedAnswer(user_id=caller.user_id)


@router.get(
    "/me",
    operation_id="read_me",
    summary="Who the caller is",
    description="As the exchange described him at his last login.",
    responses=problem_responses(401, 503),
)
async def read_me(accounts: Accounts, caller: Known) -> MeAnswer:
    person = await accounts.profiles.get(caller.user_id)
    return MeAnswer(
        user_id=caller.user_id,
        exchange=accounts.exchange,
        deribit_id=person.deribit_id if person else None,
        email=person.email if person else None,
        username=person.username if person else None,
        system_name=person.system_name if person else None,
        type=person.type if person else None,
        last_seen_ms=person.last_seen_ms if person else None,
    )


async def _token_of_key(accounts: AccountsParts, grant: KeyGrant, address: str) -> IssuedToken:
    key_id = key_id_of(grant.api_key) or "unreadable"
    await accounts.throttle.check(address, key_id)
    try:
        holder = await accounts.keys.holder(grant.api_key)
    except Unauthenticated:
        await accounts.throttle.failed(address, key_id)
        raise
    await accounts.throttle.succeeded(key_id)
    now_s = accounts.clock.wall_us() / 1_000_000
    return accounts.tokens.issue(holder.user_id, holder.scope, now_s=now_s, origin=origin_of(holder.key_id))


def _set_cookie(request: Request, response: Response, issued: IssuedToken) -> None:
    response.set_cookie(
        COOKIE,
        issued.access_token,
        max_age=issued.expires_in_s,
        path="/",
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
