"""Who came, and what became of him: a line for each request, and at the stop nobody is left waiting."""

import asyncio
from dataclasses import dataclass

import structlog
from asgi_correlation_id import correlation_id
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cryptomarket.app import problem
from cryptomarket.clock import Clock
from cryptomarket.live.sse import MEDIA_TYPE
from cryptomarket.live.transport import ABORT

log = structlog.get_logger(__name__)

RETRY_AFTER_S = 5
_STOPPING = "The gateway is stopping. Try again when it is back."


@dataclass(slots=True)
class _Visit:
    """A request under way. `status` is None until its answer has begun."""

    began_s: float
    deadline: asyncio.Timeout
    status: int | None = None
    is_stream: bool = False


class Doorkeeper:
    """Stands around the application (ASGI 3.0). One line for each request: when its answer is complete, or, if that is
    a stream, when it begins.

    After `close`, who has no answer yet gets one within `grace_s` seconds: what he waits for goes away with us. An
    answer that the server then waits for in vain is broken off, and its connection with it.
    """

    def __init__(self, app: ASGIApp, *, clock: Clock, grace_s: float = 0.5) -> None:
        self._app = app
        self._clock = clock
        self._grace_s = grace_s
        self._unanswered: set[asyncio.Timeout] = set()
        self._closing = False

    def close(self) -> None:
        """This process stops. Answers that have begun are not touched; streams have an end of their own."""
        self._closing = True
        for deadline in self._unanswered:
            deadline.reschedule(self._last_moment_s())

    def _last_moment_s(self) -> float:
        return asyncio.get_running_loop().time() + self._grace_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, from the door to the door."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        deadline = asyncio.timeout_at(self._last_moment_s() if self._closing else None)
        visit = _Visit(self._clock.monotonic_s(), deadline)

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._begin_answer(visit, message, scope)
            await send(message)

        try:
            await self._admit(visit, scope, receive, watched)
        except asyncio.CancelledError:
            abort = (scope.get("extensions") or {}).get(ABORT)
            if not self._closing or abort is None:
                raise
            log.warning("an answer was broken off by the stop", path=_template(scope))
            await abort()
        finally:
            if not visit.is_stream:
                self._tell("request", visit, scope)

    async def _admit(self, visit: _Visit, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with visit.deadline:
                self._unanswered.add(visit.deadline)
                try:
                    await self._app(scope, receive, send)
                finally:
                    self._unanswered.discard(visit.deadline)
        except TimeoutError:
            if visit.status is not None or not visit.deadline.expired():
                raise
            # The id was given further in, and the answer is made out here.
            headers = {"Retry-After": str(RETRY_AFTER_S), "X-Request-ID": correlation_id.get() or ""}
            answer = problem(503, _STOPPING, title="The gateway is unavailable", headers=headers)
            await answer(scope, receive, send)

    def _begin_answer(self, visit: _Visit, message: Message, scope: Scope) -> None:
        visit.status = message["status"]
        if visit.deadline in self._unanswered:
            self._unanswered.discard(visit.deadline)
            visit.deadline.reschedule(None)
        headers = Headers(raw=message.get("headers", []))
        visit.is_stream = headers.get("content-type", "").startswith(MEDIA_TYPE)
        if visit.is_stream:
            self._tell("stream opened", visit, scope)

    def _tell(self, event: str, visit: _Visit, scope: Scope) -> None:
        """The template of the path, and no query: what people put into those is theirs."""
        log.info(
            event,
            method=scope["method"],
            path=_template(scope),
            status=visit.status,
            duration_ms=round((self._clock.monotonic_s() - visit.began_s) * 1000, 1),
        )


def _template(scope: Scope) -> str | None:
    """The path as it was declared."""
    path: str | None = getattr(scope.get("route"), "path", None)
    return path
