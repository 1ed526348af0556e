"""The outside: mounts each room's routes, turns errors into problem documents, and says how the gateway is."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import structlog
from asgi_correlation_id import CorrelationIdMiddleware, correlation_id
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse, Response
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cryptomarket import __version__
from cryptomarket.accounts.routes import router as accounts_router
from cryptomarket.errors import Refusal, TooMany, Unauthenticated, Unavailable
from cryptomarket.history.routes import router as history_router
from cryptomarket.history.routes_v1 import router as history_v1_router
from cryptomarket.live.routes import router as live_router
from cryptomarket.live.routes_v1 import router as live_v1_router
from cryptomarket.operation import router as operation_router
from cryptomarket.problems import MEDIA_TYPE, TITLES, FieldProblem, Problem, problem_responses

log = structlog.get_logger(__name__)

DESCRIPTION = """\
A streaming gateway between the Deribit exchange and everyone who wants its prices.

**Prices** are exact decimals, written as JSON numbers: parse them as decimals. **Times** are integers since the Unix
epoch with the unit in the name; `timestamp` is the exchange's own, in milliseconds. **Ranges** are half open,
`[start, end)`; the date filters of `/api/v1` include both ends. **Errors** are problem documents (RFC 9457).
"""

# Error types of the validator that say "this can be read, and cannot be" rather than "this cannot be read".
_IMPOSSIBLE = {
    "enum", "literal_error", "greater_than", "greater_than_equal", "less_than", "less_than_equal", "finite_number",
    "string_too_long", "string_too_short", "too_long", "too_short", "value_error", "string_pattern_mismatch",
}  # fmt: skip


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


async def _invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101  registered for this type alone
    found = error.errors()
    status = 422 if all(part["type"] in _IMPOSSIBLE for part in found) else 400
    errors = [
        FieldProblem(field=".".join(str(step) for step in part["loc"][1:]) or "body", message=part["msg"])
        for part in found
    ]
    return problem(status, "; ".join(f"{each.field}: {each.message}" for each in errors), errors=errors)


async def _http(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  registered for this type alone
    return problem(error.status_code, str(error.detail), headers=error.headers)


async def _crashed(request: Request, error: Exception) -> Response:
    log.error("a request failed", path=request.url.path, exc_info=error)
    detail = "The gateway has failed on this request. The failure was logged under the request id."
    # This handler stands outside of the middleware that puts the id into every other answer.
    return problem(500, detail, headers={"X-Request-ID": correlation_id.get() or ""})


class BodyLimit:
    """Refuses bodies beyond `limit_bytes` with 413: at once when their length was told, else when they are read."""

    def __init__(self, app: ASGIApp, limit_bytes: int) -> None:
        self._app = app
        self._limit_bytes = limit_bytes
        self._sentence = f"A body is at most {limit_bytes} bytes."

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Counts what is received (ASGI 3.0)."""
        if scope["type"] != "http":
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


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def create_app(state: Mapping[str, object], *, exchange: str, body_limit_bytes: int) -> FastAPI:
    """The application. `state` is what the rooms' routes take their parts from (`request.state`)."""

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
    )
    for router in (
        live_router, live_v1_router, history_router, history_v1_router, accounts_router, operation_router,
    ):  # fmt: skip
        app.include_router(router)
    handlers: list[tuple[type[Exception], Callable[..., Any]]] = [
        (Refusal, _refused),
        (Unavailable, _unavailable),
        (RequestValidationError, _invalid),
        (HTTPException, _http),
        (Exception, _crashed),
    ]
    for kind, handler in handlers:
        app.add_exception_handler(kind, handler)
    app.add_middleware(BodyLimit, limit_bytes=body_limit_bytes)
    app.add_middleware(
        CorrelationIdMiddleware, header_name="X-Request-ID", validator=_is_uuid, generator=lambda: str(uuid4())
    )
    _describe(app)
    return app


def _describe(app: FastAPI) -> None:
    """Makes the OpenAPI document tell what really comes: problems instead of the framework's own error shape."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(
                title=app.title, version=app.version, summary=app.summary, description=app.description,
                license_info=app.license_info, routes=app.routes,
            )  # fmt: skip
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            for name in ("HTTPValidationError", "ValidationError"):
                schemas.pop(name, None)
            schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas |= schema.pop("$defs", {})
            schemas["Problem"] = schema
            for path in document["paths"].values():
                for operation in path.values():
                    _declare_problems(operation)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # the framework's documented way to extend the document


def _declare_problems(operation: dict[str, Any]) -> None:
    operation["responses"] |= problem_responses(413)
    header = {"description": "The id of the request, in every log line of it", "schema": {"type": "string"}}
    for status, response in operation["responses"].items():
        response.setdefault("headers", {})["X-Request-ID"] = header
        content = response.get("content", {}).get("application/json", {})
        if status == "422" and content.get("schema", {}).get("$ref", "").endswith("HTTPValidationError"):
            response["description"] = TITLES[422]
            response["content"] = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
