"""The OpenAPI document: what the framework knows of the routes, made to tell what really comes."""

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.responses import Response
from starlette.routing import BaseRoute

from cryptomarket.accounts.access import SCHEMES, SECURITY
from cryptomarket.live.event_schemas import EVENTS
from cryptomarket.operation import Unready
from cryptomarket.problems import REQUEST_ID, Problem, problem_responses

Json = Any  # the document is JSON of many shapes

DESCRIPTION = """\
A streaming gateway between the Deribit exchange and everyone who wants its prices.

**Prices** are exact decimals, written as JSON numbers: parse them as decimals. **Times** are integers since the Unix
epoch with the unit in the name; `timestamp` is the exchange's own, in milliseconds. **Ranges** are half open,
`[start, end)`; the date filters of `/api/v1` include both ends. **Errors** are problem documents (RFC 9457), whose
`request_id` is also in the header `X-Request-ID` of every answer. **HEAD** is answered wherever GET is, but for the
stream, which it would open, and for those GETs of `/api/v1` that change the saved set.
"""
CONTACT = {"name": "Whoever runs this gateway"}
SERVERS: list[dict[str, str | Any]] = [{"url": "/", "description": "Where this document comes from"}]
TAGS = [
    {"name": "stream", "description": "Live ticks, states and gaps as server-sent events, resumable by position."},
    {"name": "subscriptions", "description": "The saved set: the tickers that a stream without `tickers` follows."},
    {"name": "catalogue", "description": "Which tickers there are."},
    {"name": "history", "description": "What was stored: ticks, statistics and candles of a range, and recorded gaps."},
    {"name": "accounts", "description": "Tokens for a Deribit key pair or an API key, their end, and who one is."},
    {"name": "jobs", "description": "What is done from time to time: its runs, and starting one by hand."},
    {"name": "operation", "description": "Whether the process lives, whether it can work, and what it does."},
    {"name": "siblings", "description": "Paths of two sibling services, in their shapes; for anybody, within limits."},
    {"name": "v1", "description": "The older paths, for the older collection. New clients take those of `/api/v2`."},
]
_REQUEST_ID = {"type": "string", "format": "uuid"}
_REQUEST_ID_PARAMETER = {
    "name": "X-Request-ID",
    "in": "header",
    "required": False,
    "description": "An id for this request, a UUID: repeated in the answer and in every log line of the request. "
    "Whatever else stands there is replaced by a new one.",
    "schema": {"type": "string"},
    "example": REQUEST_ID,
}
_REQUEST_ID_HEADER = {
    "description": "The id of the request, in every log line of it",
    "schema": _REQUEST_ID,
    "example": REQUEST_ID,
}
DOCUMENT_PATH = "/openapi.json"
# Methods whose content has a meaning (RFC 9110, 9.3), and is limited.
WITH_CONTENT = frozenset({"post", "put", "patch"})
_ELSE = "Any other method of this address is answered so"


def describe(app: FastAPI, routes: Sequence[BaseRoute]) -> None:
    """Gives the application its document, of these routes, drawn when it is first asked for and kept."""
    info = {
        "title": app.title, "version": app.version, "summary": app.summary, "description": app.description,
        "contact": CONTACT, "license": app.license_info,
    }  # fmt: skip

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = {**_drawn(routes), "info": info}
        return app.openapi_schema

    @functools.cache
    def written() -> bytes:
        return json.dumps(openapi(), ensure_ascii=False).encode()

    def answer(_request: Request) -> Response:
        # No coroutine, so that the framework asks a thread: drawing takes longer than a tick may wait.
        return Response(written(), media_type="application/json")

    app.openapi = openapi  # type: ignore[method-assign]  # the framework's documented way to extend the document
    app.add_route(DOCUMENT_PATH, answer, include_in_schema=False)


class Parameters:
    """What the document says of the parameters of a route, each route drawn alone, when it is first asked for.

    The whole document takes half a second, in which no tick would be heard.
    """

    def __init__(self) -> None:
        self._of: dict[str, tuple[Sequence[Json], Mapping[str, Json]]] = {}

    def of(self, route: APIRoute) -> tuple[Sequence[Json], Mapping[str, Json]]:
        """Its parameters, and the schemas that they refer to."""
        if route.unique_id not in self._of:
            document = get_openapi(title="", version="", routes=[route])
            [operation] = [each for path in document["paths"].values() for each in path.values()] or [{}]
            schemas = document.get("components", {}).get("schemas", {})
            self._of[route.unique_id] = operation.get("parameters", []), schemas
        return self._of[route.unique_id]


def _drawn(routes: Sequence[BaseRoute]) -> dict[str, Any]:
    document = get_openapi(title="", version="", servers=SERVERS, tags=TAGS, routes=routes)
    components = document.setdefault("components", {})
    components["securitySchemes"] = SCHEMES
    schemas = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    models: list[type[BaseModel]] = [Problem, Unready, *EVENTS.values()]
    for model in models:
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= schema.pop("$defs", {})
        schemas[model.__name__] = schema
    asking = {route.operation_id: _who_may(route.dependant) for route in routes if isinstance(route, APIRoute)}
    for path in document["paths"].values():
        for method, operation in path.items():
            operation.setdefault("security", asking[operation["operationId"]])
            operation.setdefault("parameters", []).append(_REQUEST_ID_PARAMETER)
            _declare_responses(operation["responses"], method, schemas)
    return document


def _who_may(dependant: Dependant) -> list[dict[str, list[str]]]:
    """By what it is known who asks, of whoever is asked for it first; nothing where nobody is."""
    asked = SECURITY.get(dependant.call, []) if dependant.call is not None else []
    return asked or next(filter(None, map(_who_may, dependant.dependencies)), [])


def _declare_responses(responses: dict[str, Json], method: str, schemas: Mapping[str, Json]) -> None:
    """What the edge itself may answer, an example of everything, and the id that every answer has."""
    if "HTTPValidationError" in str(responses.get("422")):
        # The framework's guess for whatever has parameters: routes that can answer so say it themselves.
        del responses["422"]
    of_the_edge = problem_responses(405, 500, *([413] if method in WITH_CONTENT else []))
    of_the_edge[405]["description"] = _ELSE
    for status, response in of_the_edge.items():
        responses.setdefault(str(status), response)
    for response in responses.values():
        response["headers"] = response.get("headers", {}) | {"X-Request-ID": _REQUEST_ID_HEADER}
        for content in response.get("content", {}).values():
            if "example" not in content and "examples" not in content:
                content["example"] = example_of(content["schema"], schemas)
    ordered = sorted(responses.items())
    responses.clear()
    responses.update(ordered)


def example_of(schema: Mapping[str, Json], schemas: Mapping[str, Json]) -> Json:
    """An example of a schema: its own, its only or first choice, or one made of the examples of its parts."""
    if "$ref" in schema:
        return example_of(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if told := list(_said(schema)):
        return told[0]
    if variants := schema.get("anyOf"):
        return example_of(variants[0], schemas)
    if schema.get("type") == "array":
        return [example_of(schema["items"], schemas)]
    return {name: example_of(part, schemas) for name, part in schema.get("properties", {}).items()}


def _said(schema: Mapping[str, Json]) -> Iterator[Json]:
    yield from schema.get("examples", [])
    for word in ("const", "default"):
        if word in schema:
            yield schema[word]
    yield from schema.get("enum", [])
