"""Which methods an address has: HEAD wherever GET is safe, and `Allow` whenever another one is asked for."""

from collections.abc import Collection, Sequence

from starlette.routing import BaseRoute, Match, compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# An extension of ours (ASGI 3.0, "Extensions"): nothing of the content will be sent, so it need not be made.
BODILESS = "http.response.bodiless"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class Methods:
    """What the addresses of an application answer to.

    `routes` is the application's own list, which may still grow. `without_head` are templates whose GET is not asked by
    HEAD, because answering would open or change something.
    """

    def __init__(self, routes: Sequence[BaseRoute], *, without_head: Collection[str]) -> None:
        self._routes = routes
        self._without_head = [compile_path(template)[0] for template in without_head]

    def may_head(self, scope: Scope) -> bool:
        """Whether HEAD may be answered by GET at this address."""
        return not any(pattern.match(scope["path"]) for pattern in self._without_head)

    def of(self, scope: Scope) -> list[str]:
        """Every method of the address (RFC 9110, 15.5.6), empty where nothing is."""
        found = {method for method in METHODS if self._has(scope, method)}
        if "GET" in found and self.may_head(scope):
            found.add("HEAD")
        return [method for method in METHODS if method in found]

    def _has(self, scope: Scope, method: str) -> bool:
        asked = {**scope, "method": method}
        return any(route.matches(asked)[0] is Match.FULL for route in self._routes)


class HeadByGet:
    """Answers HEAD as GET is answered, status and headers, without the content (RFC 9110, 9.3.2)."""

    def __init__(self, app: ASGIApp, methods: Methods) -> None:
        self._app = app
        self._methods = methods

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Asks for GET, and sends on only what a HEAD may have (ASGI 3.0)."""
        if scope["type"] != "http" or scope["method"] != "HEAD" or not self._methods.may_head(scope):
            await self._app(scope, receive, send)
            return

        async def bare(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        extensions = {**(scope.get("extensions") or {}), BODILESS: {}}
        await self._app({**scope, "method": "GET", "extensions": extensions}, receive, bare)
