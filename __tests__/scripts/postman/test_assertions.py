"""What a request of the collection asserts is what the document promises."""

from typing import Any

from scripts.postman.assertions import resolved, script_of

Json = Any  # the document is JSON of many shapes

SCHEMAS: dict[str, Json] = {
    "Row": {
        "type": "object",
        "title": "Row",
        "properties": {"title": {"type": "string", "description": "!"}, "kind": {"$ref": "#/components/schemas/Kind"}},
        "required": ["title"],
    },
    "Kind": {"enum": ["index", "option"], "examples": ["index"]},
}  # fmt: skip
ROW = {"type": "object", "properties": {"title": {"type": "string"}, "kind": {"enum": ["index", "option"]}}, "required": ["title"]}  # fmt: skip  # noqa: E501


def operation(name: str, **responses: Json) -> Json:
    """An operation of this name and these answers."""
    return {"operationId": name, "responses": {status.removeprefix("s"): told for status, told in responses.items()}}


def test_a_shape_stands_for_itself() -> None:
    """Promise: references are resolved at any depth; words for people go, properties that are called so stay."""
    assert resolved({"$ref": "#/components/schemas/Row"}, SCHEMAS) == ROW
    assert resolved({"anyOf": [{"$ref": "#/components/schemas/Kind"}, {"type": "null"}]}, SCHEMAS) == {
        "anyOf": [{"enum": ["index", "option"]}, {"type": "null"}]
    }


def test_every_request_asserts_something() -> None:
    """Promise: status, request id and shape always; the operator's may be refused to a person, and to nobody else."""
    json_body = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Row"}}}}
    lines = script_of(operation("read_row", s200=json_body, s404={}), SCHEMAS, may_be_refused=False)
    text = "\n".join(lines)
    assert "const good = [200];" in text
    assert "X-Request-ID" in text
    assert '"required":["title"]' in text
    assert "403" not in text
    of_an_operator = "\n".join(script_of(operation("x", s202=json_body), SCHEMAS, may_be_refused=True))
    assert "const good = [202];" in of_an_operator
    assert "operator_token is not set" in of_an_operator


def test_what_is_no_json_has_no_shape() -> None:
    """Promise: a stream is read as one: its first, a middle and its last event are looked at."""
    lines = script_of(operation("open_stream", s200={"content": {"text/event-stream": {}}}), {}, may_be_refused=False)
    text = "\n".join(lines)
    for word in ("connected", "message", "disconnected", "drain"):
        assert f'"{word}"' in text
    assert "const shape" not in text
