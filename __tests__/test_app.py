"""The outside: what its document promises, and how every kind of error looks."""

import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Query, Request
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from cryptomarket.app import create_app
from cryptomarket.errors import (
    Conflict,
    DatabaseUnavailable,
    ExchangeUnavailable,
    Forbidden,
    Impossible,
    LogTooShort,
    Malformed,
    NotFound,
    TooLarge,
    TooMany,
    Unauthenticated,
    UnknownTicker,
)
from cryptomarket.problems import MEDIA_TYPE

Json = Any  # what JSON may be

NOT_MODIFIED = "304"
LIMIT_BYTES = 1024
REQUEST_ID = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"


def new_app() -> FastAPI:
    """The application without parts behind it."""
    return create_app({}, exchange="simulator", body_limit_bytes=LIMIT_BYTES)


DOCUMENT: Json = new_app().openapi()
OPERATIONS = [
    pytest.param(path, method, operation, id=f"{method.upper()} {path}")
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
]


def references(part: Json) -> Iterator[str]:
    """Every reference within a part of the document."""
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for value in part.values():
            yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def resolved(reference: str) -> Json:
    """What a reference leads to. Raises KeyError where it leads nowhere."""
    part = DOCUMENT
    for step in reference.removeprefix("#/").split("/"):
        part = part[step]
    return part


def rooted(schema: Json) -> Json:
    """A schema whose references begin at the document."""
    if isinstance(schema, dict):
        return {
            name: f"openapi{value}" if name == "$ref" and isinstance(value, str) else rooted(value)
            for name, value in schema.items()
        }
    return [rooted(part) for part in schema] if isinstance(schema, list) else schema


REGISTRY: Registry[Json] = Registry().with_resource("openapi", DRAFT202012.create_resource(DOCUMENT))


def test_every_reference_leads_somewhere() -> None:
    """Promise: whoever generates a client from the document finds every schema, and every schema is one."""
    for reference in references(DOCUMENT):
        assert isinstance(resolved(reference), dict), reference
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    used = {reference.rpartition("/")[2] for reference in references(DOCUMENT)}
    assert used == set(DOCUMENT["components"]["schemas"])


def test_the_document_says_what_it_describes() -> None:
    """Promise: name, version, licence, the exchange behind, and how prices, times and errors are written."""
    assert DOCUMENT["openapi"].startswith("3.1")
    info = DOCUMENT["info"]
    assert info["title"] == "cryptomarket"
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", info["version"])
    for word in ("**simulator**", "exact decimals", "milliseconds", "RFC 9457"):
        assert word in info["description"]
    ids = [operation["operationId"] for operations in DOCUMENT["paths"].values() for operation in operations.values()]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_an_operation_explains_itself(path: str, method: str, operation: Json) -> None:
    """Promise: each operation has a summary and a tag, each parameter a description and an example or its choices, each
    response a description, a schema and the request's id; errors are problem documents.
    """
    assert operation["summary"]
    assert operation["tags"]
    parameters = operation.get("parameters", [])
    in_path = {parameter["name"] for parameter in parameters if parameter["in"] == "path"}
    assert in_path == set(re.findall(r"{(\w+)}", path))
    for parameter in parameters:
        assert parameter["description"], parameter["name"]
        assert list(examples_of(parameter)) or choices_of(parameter["schema"]), f"{parameter['name']} has no example"
    for status, response in operation["responses"].items():
        assert response["description"], status
        assert "X-Request-ID" in response["headers"], status
        if status == NOT_MODIFIED:
            # It has headers and never a content (RFC 9110, 15.4.5).
            assert "content" not in response
            continue
        assert response["content"], status
        if int(status) >= 400:
            [(media_type, content)] = response["content"].items()
            named = "Unready" if (path, status) == ("/ready", "503") else "Problem"
            assert (media_type, content["schema"]["$ref"]) == (MEDIA_TYPE, f"#/components/schemas/{named}")
        if status in {"429", "503"}:
            assert "Retry-After" in response["headers"]
    if "{ticker}" in path:
        assert "404" in operation["responses"]
    assert ("401" in operation["responses"]) == bool(operation["security"])
    if operation["security"]:
        assert "503" in operation["responses"]
    assert {"405", "500"} <= set(operation["responses"])
    assert ("413" in operation["responses"]) == (method in {"post", "put"})
    assert method in {"get", "put", "post", "delete"}


def choices_of(schema: Json) -> bool:
    """Whether a schema lists what is possible, or needs no example to be understood."""
    variants = schema.get("anyOf", [schema])
    return any(
        "enum" in variant or "const" in variant or variant.get("type") == "boolean" or "enum" in resolved_if(variant)
        for variant in variants
    )


def resolved_if(schema: Json) -> Json:
    """The schema that a reference leads to; another schema as it is."""
    return resolved(schema["$ref"]) if "$ref" in schema else schema


def examples_of(part: Json) -> Iterator[Json]:
    """The examples of a parameter, a property or a content."""
    schema = part.get("schema", part)
    yield from schema.get("examples", []) if isinstance(schema.get("examples", []), list) else []
    if "example" in part:
        yield part["example"]
    if isinstance(part.get("examples"), dict):
        yield from (example["value"] for example in part["examples"].values())


@pytest.mark.parametrize("name", sorted(DOCUMENT["components"]["schemas"]))
def test_a_schema_shows_what_it_means(name: str) -> None:
    """Promise: each property is an example, a choice, or of another schema; and each example is valid."""
    schema = DOCUMENT["components"]["schemas"][name]
    assert schema.get("description") or "enum" in schema, f"{name} says nothing of itself"
    for field, shape in schema.get("properties", {}).items():
        shown = list(examples_of(shape))
        assert shown or choices_of(shape) or list(references(shape)), f"{name}.{field} has no example"
        for example in shown:
            Draft202012Validator(rooted(shape), registry=REGISTRY).validate(example)


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_every_body_is_shown_by_valid_examples(path: str, method: str, operation: Json) -> None:
    """Promise: what is shown as a body can be sent."""
    for content in operation.get("requestBody", {}).get("content", {}).values():
        shown = list(examples_of(content))
        assert len(shown) >= 2, f"{method} {path}"
        for example in shown:
            Draft202012Validator(rooted(content["schema"]), registry=REGISTRY).validate(example)


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_every_answer_is_shown_by_a_valid_example(path: str, method: str, operation: Json) -> None:
    """Promise: each status of each operation shows an answer, which its schema allows and which is of that status."""
    for status, response in operation["responses"].items():
        for media_type, content in response.get("content", {}).items():
            example = content["example"]
            Draft202012Validator(rooted(content["schema"]), registry=REGISTRY).validate(example)
            assert example != {}, f"{method} {path} {status}"
            if media_type == MEDIA_TYPE:
                assert example["status"] == int(status)
                assert len(example["detail"]) > 20
        for name, header in response["headers"].items():
            assert header["description"], name
            shown = list(examples_of(header)) or [header["schema"]["const"]]
            Draft202012Validator(rooted(header["schema"]), registry=REGISTRY).validate(shown[0])


@pytest.mark.parametrize(
    ("path", "method", "statuses"),
    [
        ("/health", "get", {"200"}),
        ("/ready", "get", {"200", "503"}),
        ("/api/v2/operation", "get", {"200", "401", "403", "503"}),
        ("/api/v2/me", "get", {"200", "401", "503"}),
        ("/api/v2/subscriptions", "delete", {"200", "401", "403", "503"}),
        ("/api/v1/market/{user_id}/cancel_all_orders", "get", {"200", "401", "403", "503"}),
        ("/api/v2/subscriptions/{ticker}", "put", {"200", "201", "401", "403", "404", "413", "422", "503"}),
        ("/api/v2/auth/token", "post", {"200", "400", "401", "403", "413", "429", "503"}),
        ("/api/v2/ticks/{ticker}/latest", "get", {"200", "401", "403", "404", "503"}),
    ],
)
def test_an_operation_declares_what_it_can_answer(path: str, method: str, statuses: set[str]) -> None:
    """Promise: the document lists the statuses that can come, and none that cannot."""
    assert set(DOCUMENT["paths"][path][method]["responses"]) == statuses | {"405", "500"}


TOKEN_WAYS: list[Json] = [{"bearer": []}, {"cookie": []}]


@pytest.mark.parametrize(
    ("path", "method", "security"),
    [
        ("/health", "get", []),
        ("/api/v2/auth/token", "post", [{}, {"basic": []}]),
        ("/api/v2/me", "get", [*TOKEN_WAYS, {"oauth2": []}]),
        ("/api/v2/auth/revoke", "post", [*TOKEN_WAYS, {"oauth2": []}]),
        ("/api/v2/ticks/{ticker}", "get", [*TOKEN_WAYS, {"oauth2": ["person"]}]),
        ("/api/v1/market/{user_id}/create_order/{ticker}", "get", [*TOKEN_WAYS, {"oauth2": ["person"]}]),
        ("/api/v2/operation", "get", [*TOKEN_WAYS, {"oauth2": ["operator"]}]),
        (
            "/api/v2/sse/connection",
            "get",
            [*TOKEN_WAYS, {"oauth2": ["person"]}, {"client_id": [], "client_secret": []}],
        ),
    ],
)
def test_an_operation_says_how_to_say_who_one_is(path: str, method: str, security: list[Json]) -> None:
    """Promise: every way of saying who one is, on each operation that takes it; the two headers count together."""

    def ordered(ways: list[Json]) -> list[str]:
        return sorted(str(way) for way in ways)

    assert ordered(DOCUMENT["paths"][path][method]["security"]) == ordered(security)


def test_every_way_to_say_who_one_is_is_described() -> None:
    """Promise: a scheme that an operation names is in the document, and the other way round."""
    schemes = DOCUMENT["components"]["securitySchemes"]
    named = {
        name
        for operations in DOCUMENT["paths"].values()
        for operation in operations.values()
        for way in operation["security"]
        for name in way
    }
    assert named == set(schemes) == {"basic", "bearer", "cookie", "oauth2", "client_id", "client_secret"}
    assert all(scheme["description"] for scheme in schemes.values())
    assert (schemes["client_id"]["name"], schemes["client_secret"]["name"]) == ("X-Client-Id", "X-Secret-key")


def test_ids_and_tags_are_words() -> None:
    """Promise: whoever generates a client gets names a person chose, and every group says what it holds."""
    described = {tag["name"] for tag in DOCUMENT["tags"] if tag["description"]}
    for operations in DOCUMENT["paths"].values():
        for operation in operations.values():
            assert re.fullmatch(r"[a-z]+(_[a-z0-9]+)*", operation["operationId"])
            assert "api_v" not in operation["operationId"]
            assert set(operation["tags"]) <= described
            assert "X-Request-ID" in [parameter["name"] for parameter in operation["parameters"]]


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_examples_of_parameters_are_valid(path: str, method: str, operation: Json) -> None:
    """Promise: what is shown can be sent."""
    for parameter in operation.get("parameters", []):
        for example in examples_of(parameter):
            Draft202012Validator(rooted(parameter["schema"]), registry=REGISTRY).validate(example)
            assert example != "", f"{method} {path} {parameter['name']}"


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """Somebody who makes routes fail, each in its own way."""
    app = new_app()
    errors: dict[str, Exception] = {
        "malformed": Malformed("This can't be read.", field="start"),
        "unauthenticated": Unauthenticated("Who are you?"),
        "forbidden": Forbidden("This is another user's."),
        "not-found": NotFound("There is no such thing."),
        "unknown-ticker": UnknownTicker("btc_usdd", ["btc_usd", "btc_usdc"]),
        "conflict": Conflict("It runs already."),
        "too-large": TooLarge("That is too much."),
        "impossible": Impossible("This can't be.", field="timer"),
        "too-many": TooMany("Wait.", retry_after_s=7.4, limit=20),
        "away": ExchangeUnavailable("It is away.", retry_after_s=0.2),
        "no-database": DatabaseUnavailable("It is away.", retry_after_s=12),
        "log": LogTooShort("a word for those inside"),
        "crash": RuntimeError("password=hunter2 at 10.0.0.7"),
    }

    async def fail(name: str) -> None:
        raise errors[name]

    async def read(request: Request) -> dict[str, int]:
        return {"size": len(await request.body())}

    async def bounded(number: int = Query(ge=1, le=5), word: str = Query("a", max_length=3)) -> dict[str, object]:
        return {"number": number, "word": word}

    app.add_api_route("/fail/{name}", fail)
    app.add_api_route("/read", read, methods=["POST"])
    app.add_api_route("/bounded", bounded)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://gateway", headers={"X-Request-ID": REQUEST_ID}
    ) as talking:
        yield talking


@pytest.mark.parametrize(
    ("name", "status", "title", "headers"),
    [
        ("malformed", 400, "Malformed request", {}),
        ("unauthenticated", 401, "Not authenticated", {"www-authenticate": 'Bearer realm="cryptomarket"'}),
        ("forbidden", 403, "Forbidden", {}),
        ("not-found", 404, "Not found", {}),
        ("unknown-ticker", 404, "Unknown ticker", {}),
        ("conflict", 409, "Conflict", {}),
        ("too-large", 413, "Too large", {}),
        ("impossible", 422, "Impossible request", {}),
        ("too-many", 429, "Too many requests", {"retry-after": "7", "ratelimit-limit": "20", "ratelimit-reset": "7"}),
        ("away", 503, "The exchange is unavailable", {"retry-after": "1"}),
        ("no-database", 503, "The database is unavailable", {"retry-after": "12"}),
        ("log", 500, "Internal error", {}),
        ("crash", 500, "Internal error", {}),
    ],
)
async def test_each_error_is_a_problem(
    client: httpx.AsyncClient, name: str, status: int, title: str, headers: dict[str, str]
) -> None:
    """Promise: RFC 9457, with the request's id in body and header; what is inside stays inside."""
    answer = await client.get(f"/fail/{name}")
    told = answer.json()
    assert (answer.status_code, told["status"], told["title"]) == (status, status, title)
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert answer.headers["x-request-id"] == told["request_id"] == REQUEST_ID
    assert headers.items() <= dict(answer.headers).items()
    assert not re.search(r"hunter2|10\.0\.0\.7|Traceback|for those inside", answer.text)
    Draft202012Validator({"$ref": "openapi#/components/schemas/Problem"}, registry=REGISTRY).validate(told)


@pytest.mark.parametrize(
    ("query", "status", "fields"),
    [
        ("number=x", 400, ["number"]),
        ("", 400, ["number"]),
        ("number=9", 422, ["number"]),
        ("number=9&word=hunter2", 422, ["number", "word"]),
        ("number=x&word=hunter2", 400, ["number", "word"]),
    ],
)
async def test_unreadable_is_told_from_impossible(
    client: httpx.AsyncClient, query: str, status: int, fields: list[str]
) -> None:
    """Promise: 400 for what can't be read, 422 for what can and cannot be; each field by name, nothing echoed."""
    answer = await client.get(f"/bounded?{query}")
    assert answer.status_code == status
    assert [error["field"] for error in answer.json()["errors"]] == fields
    assert not re.search("hunter2|Input should|Field required", answer.text)


SAFE_GETS = [path for path, operations in DOCUMENT["paths"].items() if "get" in operations and "v1" not in path]
OLDER = "/api/v1/market/u/"


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        *((path, {"HEAD", *map(str.upper, DOCUMENT["paths"][path])}) for path in SAFE_GETS if "sse" not in path),
        ("/api/v2/sse/connection", {"GET"}),
        (f"{OLDER}create_order/btc_usd", {"GET", "POST"}),
        (f"{OLDER}cancel_order/btc_usd", {"GET", "DELETE"}),
        (f"{OLDER}cancel_all_orders", {"GET", "DELETE"}),
        (f"{OLDER}get_order/btc_usd", {"GET", "HEAD"}),
        ("/api/v2/subscriptions/btc_usd", {"PUT", "DELETE"}),
        ("/api/v2/auth/token", {"POST"}),
        ("/openapi.json", {"GET", "HEAD"}),
    ],
)
async def test_another_method_is_told_all_that_there_are(
    client: httpx.AsyncClient, path: str, allowed: set[str]
) -> None:
    """Promise: 405 names every method of the address (RFC 9110, 15.5.6), in the header and in words; HEAD is one of
    them wherever GET opens nothing and changes nothing.
    """
    answer = await client.patch(path)
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == allowed
    assert all(method in answer.json()["detail"] for method in allowed)
    for method in {"GET", "HEAD", "POST", "PUT", "DELETE"} - allowed:
        refused = await client.request(method, path)
        assert (refused.status_code, refused.headers["allow"]) == (405, answer.headers["allow"])


async def test_what_is_not_there_is_said_in_a_sentence(client: httpx.AsyncClient) -> None:
    """Promise: no bare `Not Found`; and an address is not guessed by a redirect that no document declares."""
    for path in ("/api/v2/nothing", "/health/", "/.env"):
        answer = await client.get(path)
        assert answer.status_code == 404
        assert answer.json()["detail"].startswith("There is nothing at this address. ")


async def test_content_that_means_nothing_is_not_read(client: httpx.AsyncClient) -> None:
    """Promise: 413 is for methods whose content has a meaning; what comes with another one is left alone."""
    assert (await client.request("GET", "/openapi.json", content=b"x" * 4 * LIMIT_BYTES)).status_code == 200
    assert (await client.request("PUT", "/read", content=b"x" * 4 * LIMIT_BYTES)).status_code == 413


async def told_in_pieces(size: int) -> AsyncIterator[bytes]:
    """A body whose length nobody says."""
    for _ in range(size // 256):
        yield b"x" * 256


@pytest.mark.parametrize(("size", "status"), [(LIMIT_BYTES, 200), (LIMIT_BYTES + 256, 413)])
async def test_a_body_has_a_limit(client: httpx.AsyncClient, size: int, status: int) -> None:
    """Promise: a body beyond the limit is refused, whether or not its length was told."""
    for body in (b"x" * size, told_in_pieces(size)):
        answer = await client.post("/read", content=body)
        assert answer.status_code == status
    assert (await client.get("/fail/forbidden")).status_code == 403, "and the next request is read as ever"


@pytest.mark.parametrize("given", [None, "", "no uuid", REQUEST_ID.upper() + " ", REQUEST_ID + 40 * "-"])
async def test_an_own_request_id_stands_in(client: httpx.AsyncClient, given: str | None) -> None:
    """Promise: every answer has an id; one that is no UUID never gets into a header or a log line."""
    client.headers.pop("X-Request-ID")
    answer = await client.get("/fail/not-found", headers={} if given is None else {"X-Request-ID": given})
    request_id = answer.headers["x-request-id"]
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", request_id)
    assert answer.json()["request_id"] == request_id
    assert request_id != given
