"""The outside: mounts each room's routes, turns errors into problem documents, and says how the gateway is."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from uuid import UUID, uuid4

import structlog
from asgi_correlation_id import CorrelationIdMiddleware, correlation_id
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cryptomarket import __version__
from cryptomarket.accounts.routes import router as accounts_router
from cryptomarket.catalog.routes import router as catalog_router
from cryptomarket.edge.document import DESCRIPTION, WITH_CONTENT, Parameters, describe
from cryptomarket.edge.methods import HeadByGet, Methods
from cryptomarket.edge.pages import router as pages_router
from cryptomarket.edge.sentences import sentences, status_of
from cryptomarket.errors import Refusal, TooMany, Unauthenticated, Unavailable
from cryptomarket.history.routes import router as history_router
from cryptomarket.history.routes_prices import router as prices_router
from cryptomarket.history.routes_v1 import router as history_v1_router
from cryptomarket.jobs.routes import router as jobs_router
from cryptomarket.live.routes import STREAM_PATH
from cryptomarket.live.routes import router as live_router
from cryptomarket.live.routes_v1 import CHANGING_PATHS
from cryptomarket.live.routes_v1 import router as live_v1_router
from cryptomarket.operation import router as operation_router
from cryptomarket.operation import state_router
from cryptomarket.page.routes import router as page_router
from cryptomarket.problems import MEDIA_TYPE, TITLES, FieldProblem, Problem

log = structlog.get_logger(__name__)

WHOLE = (
    live_router, live_v1_router, catalog_router, history_router, history_v1_router, prices_router, accounts_router,
    state_router, operation_router, pages_router, page_router, jobs_router,
)  # fmt: skip
Handler = Callable[[Request, Exception], Awaitable[Response]]


def problem(
    status: int,
    detail: str,
    *,
    title: str | None = None,
    errors: list[FieldProblem] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """An error as the contract has it, with the id of the request."""
    body = Problem(
        title=title or TITLES.get(status, "Error"),
        status=status,
        detail=detail,
        request_id=correlation_id.get() or "",
        errors=errors,
    )
    return JSONResponse(
        body.model_dump(exclude_none=True), status_code=status, headers=dict(headers or {}), media_type=MEDIA_TYPE
    )


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)  # noqa: S101  registered for this type alone
    headers = {"WWW-Authenticate": 'Bearer realm="cryptomarket"'} if isinstance(error, Unauthenticated) else {}
    if isinstance(error, TooMany):
        wait_s = max(1, round(error.retry_after_s))
        headers = {
            "Retry-After": str(wait_s),
            "RateLimit-Limit": str(error.limit),
            "RateLimit-Remaining": "0",
            "RateLimit-Reset": str(wait_s),
        }
    errors = [FieldProblem(field=error.field, message=error.detail)] if error.field else None
    return problem(error.status, error.detail, title=error.title, errors=errors, headers=headers)


async def _unavailable(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Unavailable)  # noqa: S101  registered for this type alone
    headers = {"Retry-After": str(max(1, round(error.retry_after_s)))}
    return problem(503, error.detail, title=f"The {error.part} is unavailable", headers=headers)


def _invalid(parameters: Parameters) -> Handler:
    """Sentences for what the validator finds."""

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101  registered for this type alone
        found = error.errors()
        errors = sentences(found, *parameters.of(request.scope["route"]))
        return problem(status_of(found), " ".join(each.message for each in errors), errors=errors)

    return invalid


def _of_the_framework(methods: Methods) -> Handler:
    """Words and headers for what the framework refuses by itself: no such address, no such method."""

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101  registered for this type alone
        if error.status_code == HTTPStatus.NOT_FOUND:
            return problem(404, "There is nothing at this address. GET /openapi.json names all that there are.")
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            known = methods.of(request.scope)
            *first, last = known
            words = f"{', '.join(first)} and {last}" if first else last
            return problem(405, f"This address knows {words}.", headers={"Allow": ", ".join(known)})
        return problem(error.status_code, str(error.detail), headers=error.headers)

    return http


async def _crashed(request: Request, error: Exception) -> Response:
    log.error("a request failed", path=request.url.path, exc_info=error)
    detail = "The gateway has failed on this request. The failure was logged under the request id."
    # This handler stands outside of the middleware that puts the id into every other answer.
    return problem(500, detail, headers={"X-Request-ID": correlation_id.get() or ""})


class BodyLimit:
    """Refuses bodies beyond `limit_bytes` with 413: at once when their length was told, else when they are read.

    Where content has no meaning, such as with GET, no route reads it, and the server drops it.
    """

    def __init__(self, app: ASGIApp, limit_bytes: int) -> None:
        self._app = app
        self._limit_bytes = limit_bytes
        self._sentence = f"A body is at most {limit_bytes} bytes."

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Counts what is received (ASGI 3.0)."""
        if scope["type"] != "http" or scope["method"].lower() not in WITH_CONTENT:
            await self._app(scope, receive, send)
            return
        left = self._limit_bytes
        told = Headers(scope=scope).get("content-length", "")
        if told.isdecimal() and int(told) > self._limit_bytes:
            await problem(413, self._sentence)(scope, receive, send)
            return

        async def counted() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise HTTPException(413, self._sentence)
            return message

        await self._app(scope, counted, send)


# A UUID in any of its spellings (RFC 9562, 4), and what a log line and a key have room for.
_LONGEST_ID = 64


def _is_uuid(text: str) -> bool:
    if len(text) > _LONGEST_ID:  # hyphens may stand anywhere, any number of them
        return False
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def create_app(state: Mapping[str, object], *, exchange: str, body_limit_bytes: int, serves: bool = True) -> FastAPI:
    """The application. `state` is what the rooms' routes take their parts from (`request.state`). A process that does
    not serve readers only says how it is.
    """

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[Mapping[str, object]]:
        yield state

    app = FastAPI(
        title="cryptomarket",
        version=__version__,
        summary="Live and past prices of the Deribit exchange",
        description=f"{DESCRIPTION}\nThis gateway serves the exchange **{exchange}**.",
        license_info={"name": "MIT", "identifier": "MIT"},
        lifespan=lifespan,
        # What is not an address is told so, rather than guessed.
        redirect_slashes=False,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
    )
    routes = [route for router in (WHOLE if serves else (state_router,)) for route in router.routes]
    # As they are: to include a router is to build each of its routes a second time, for a prefix that none has.
    app.router.routes.extend(routes)
    describe(app, routes)
    methods = Methods(app.router.routes, without_head={STREAM_PATH, *CHANGING_PATHS})
    handlers: list[tuple[type[Exception], Handler]] = [
        (Refusal, _refused),
        (Unavailable, _unavailable),
        (RequestValidationError, _invalid(Parameters())),
        (HTTPException, _of_the_framework(methods)),
        (Exception, _crashed),
    ]
    for kind, handler in handlers:
        app.add_exception_handler(kind, handler)
    app.add_middleware(HeadByGet, methods=methods)
    app.add_middleware(BodyLimit, limit_bytes=body_limit_bytes)
    app.add_middleware(
        CorrelationIdMiddleware, header_name="X-Request-ID", validator=_is_uuid, generator=lambda: str(uuid4())
    )
    return app
