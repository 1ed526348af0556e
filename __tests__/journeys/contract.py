"""The OpenAPI document as a witness: every answer that a test gets is held against what was promised of it."""

import re
from dataclasses import dataclass, field
from uuid import UUID

import httpx
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from __tests__.journeys.gateway import Gateway, Json

STREAM = "text/event-stream"
PROBLEM = "application/problem+json"
OF_THE_FRAMEWORK = {404, 405}
"""What is answered where no operation is: no document can declare it."""


@dataclass
class Contract:
    """The document of a gateway. `kept` has each answer that was held against it: (method, path template, status)."""

    document: Json
    kept: set[tuple[str, str, int]] = field(default_factory=set)

    def __post_init__(self) -> None:
        resource = DRAFT202012.create_resource(self.document)
        self._registry: Registry[Json] = Registry().with_resource("openapi", resource)
        self._paths = [
            (re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))), path) for path in self.document["paths"]
        ]

    def operation(self, method: str, path: str) -> tuple[str, Json] | None:
        """The template and the operation that answer for a method and path, None where the document has none."""
        for pattern, template in self._paths:
            operations = self.document["paths"][template]
            if pattern.fullmatch(path) and method.lower() in operations:
                return template, operations[method.lower()]
        return None

    async def check(self, answer: httpx.Response) -> None:
        """Asserts that an answer is as the document says: its status, its media type, its body, its request id."""
        request_id = answer.headers["x-request-id"]
        assert str(UUID(request_id)) == request_id.lower()
        media_type = answer.headers.get("content-type", "").partition(";")[0]
        if media_type != STREAM:
            await answer.aread()
        if answer.status_code >= 400 and answer.text:
            self._check_problem(answer, media_type, request_id)
        found = self.operation(answer.request.method, answer.request.url.raw_path.partition(b"?")[0].decode())
        if found is None:
            assert answer.status_code in OF_THE_FRAMEWORK or answer.request.url.path == "/openapi.json"
            return
        template, operation = found
        told = f"{answer.request.method} {template} → {answer.status_code}"
        declared = operation["responses"].get(str(answer.status_code))
        assert declared is not None, f"{told} is not in the document: {answer.text[:300]}"
        assert media_type in declared["content"], f"{told} as {media_type} is not in the document"
        if media_type in {"application/json", PROBLEM}:
            self._validate(declared["content"][media_type]["schema"], answer.json(), told)
        self.kept.add((answer.request.method, template, answer.status_code))

    def _check_problem(self, answer: httpx.Response, media_type: str, request_id: str) -> None:
        assert media_type == PROBLEM, f"{answer.status_code} as {media_type}: {answer.text[:300]}"
        problem = answer.json()
        self._validate({"$ref": "#/components/schemas/Problem"}, problem, "a problem")
        assert problem["status"] == answer.status_code
        assert problem["request_id"] == request_id
        assert "Traceback" not in problem["detail"]
        if answer.status_code in {429, 503}:
            assert int(answer.headers["retry-after"]) >= 1

    def _validate(self, schema: Json, body: Json, told: str) -> None:
        rooted = {"$ref": f"openapi{schema['$ref']}"} if "$ref" in schema else _rooted(schema)
        errors = list(Draft202012Validator(rooted, registry=self._registry).iter_errors(body))
        assert not errors, f"{told}: {errors[0].message[:300]} at {errors[0].json_path}"


def _rooted(schema: Json) -> Json:
    """A schema whose references begin at the document, wherever they stand in it."""
    if isinstance(schema, dict):
        return {
            name: f"openapi{value}" if name == "$ref" and isinstance(value, str) else _rooted(value)
            for name, value in schema.items()
        }
    return [_rooted(part) for part in schema] if isinstance(schema, list) else schema


async def contract_of(gate: Gateway) -> Contract:
    """What a gateway's own document promises."""
    async with gate.client() as client:
        return Contract((await client.get("/openapi.json")).json())


def watched(gate: Gateway, contract: Contract, token: str | None = None, **options: Json) -> httpx.AsyncClient:
    """A client all of whose answers are held against the contract."""
    return gate.client(token, event_hooks={"response": [contract.check]}, **options)
