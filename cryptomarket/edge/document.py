"""The OpenAPI document: what the framework knows of the routes, made to tell what really comes."""

from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from cryptomarket.accounts.access import KEY_PAIR_SCHEMES
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
# Methods whose content has a meaning (RFC 9110, 9.3), and is limited.
WITH_CONTENT = frozenset({"post", "put", "patch"})
_ELSE = "Any other method of this address is answered so"


def describe(app: FastAPI) -> None:
    """Gives the application its document, drawn once and kept."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _drawn(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # the framework's documented way to extend the document


def _drawn(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title, version=app.version, summary=app.summary, description=app.description,
        license_info=app.license_info, contact=CONTACT, servers=SERVERS, tags=TAGS, routes=app.routes,
    )  # fmt: skip
    components = document.setdefault("components", {})
    components["securitySchemes"] = components.get("securitySchemes", {}) | KEY_PAIR_SCHEMES
    schemas = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    models: list[type[BaseModel]] = [Problem, Unready, *EVENTS.values()]
    for model in models:
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= schema.pop("$defs", {})
        schemas[model.__name__] = schema
    for path in document["paths"].values():
        for method, operation in path.items():
            operation.setdefault("security", [])
            operation.setdefault("parameters", []).append(_REQUEST_ID_PARAMETER)
            _declare_responses(operation["responses"], method, schemas)
    return document


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
        response.setdefault("headers", {})["X-Request-ID"] = _REQUEST_ID_HEADER
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
