"""The application for rooms that are not about accounts: it takes everybody for one caller."""

from collections.abc import Collection, Mapping
from types import SimpleNamespace
from typing import Any

from starlette.types import ASGIApp

from __tests__.accounts.world import Hands
from cryptomarket.accounts.tokens import Claims, Scope
from cryptomarket.app import create_app


def acquainted(
    state: Mapping[str, object],
    *,
    scopes: Collection[Scope] = (Scope.PERSON,),
    user_id: str = "u_one",
) -> ASGIApp:
    """The application with these parts and no accounts but for this caller, who shows no token. `scopes` may change."""

    def read(_token: str, *, now_s: float) -> Claims:
        return Claims(user_id, frozenset(scopes), "jti", round(now_s), 2**40)

    async def seen(_user_id: str) -> None:
        """Nothing is written down of anybody."""

    accounts = SimpleNamespace(
        tokens=SimpleNamespace(read=read),
        revocations=SimpleNamespace(check=lambda _jti, _origin: None),
        profiles=SimpleNamespace(seen=seen),
        on_seen=lambda _user_id: None,
        clock=Hands().clock(),
    )
    app = create_app({}, exchange="simulator", body_limit_bytes=1000)

    async def with_state(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
        headers = [*scope["headers"], (b"authorization", b"Bearer anything")]
        await app({**scope, "headers": headers, "state": {**state, "accounts": accounts}}, receive, send)

    return with_state
