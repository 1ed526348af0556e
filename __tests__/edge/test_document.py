"""How the document is drawn: what the edge adds to a route, and examples made of examples."""

from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from __tests__.accounts.acquainted import acquainted
from cryptomarket.edge import document
from cryptomarket.edge.document import describe, example_of
from cryptomarket.problems import problem_responses

Json = Any  # what JSON may be

SCHEMAS: dict[str, Json] = {
    "Row": {"type": "object", "properties": {"price": {"type": "number", "examples": [8.5]}, "seq": {"const": 7}}},
    "Kind": {"type": "string", "enum": ["index", "option"]},
}
ROW = {"$ref": "#/components/schemas/Row"}


@pytest.mark.parametrize(
    ("schema", "example"),
    [
        ({"type": "integer", "examples": [5, 6]}, 5),
        ({"$ref": "#/components/schemas/Kind"}, "index"),
        (ROW, {"price": 8.5, "seq": 7}),
        ({"type": "array", "items": ROW}, [{"price": 8.5, "seq": 7}]),
        ({"anyOf": [ROW, {"type": "null"}]}, {"price": 8.5, "seq": 7}),
        ({"type": "boolean", "default": True}, True),
    ],
)
def test_an_example_is_made_of_the_examples_of_its_parts(schema: Json, example: Json) -> None:
    """Promise: whoever looks at an answer sees a whole one."""
    assert example_of(schema, SCHEMAS) == example


def drawn() -> Json:
    app = FastAPI()

    async def read(number: int) -> int:
        return number

    app.add_api_route("/read/{number}", read, operation_id="read", responses=problem_responses(400))
    app.add_api_route("/both/{number}", read, methods=["POST"], operation_id="write", responses=problem_responses(422))
    describe(app, app.routes)
    assert app.openapi() is app.openapi()
    return app.openapi()["paths"]


def test_a_route_declares_what_the_edge_answers_for_it() -> None:
    """Promise: what any route may answer is declared in one place; what the framework guesses is not."""
    paths = drawn()
    reading, writing = paths["/read/{number}"]["get"], paths["/both/{number}"]["post"]
    assert list(reading["responses"]) == ["200", "400", "405", "500"]
    assert list(writing["responses"]) == ["200", "405", "413", "422", "500"]
    assert reading["security"] == []
    assert "Allow" in reading["responses"]["405"]["headers"]


async def test_a_refused_parameter_does_not_draw_the_document(monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: the first mistake of a caller costs nobody else the half second in which a document is drawn."""
    draws: list[int] = []

    def counted(**what: Json) -> Json:
        draws.append(len(what["routes"]))
        return get_openapi(**what)

    monkeypatch.setattr(document, "get_openapi", counted)
    transport = httpx2.ASGITransport(app=acquainted({"catalog": None}))
    async with httpx2.AsyncClient(transport=transport, base_url="http://gateway") as client:
        for _ in range(2):
            told = await client.get("/api/v2/tickers", params={"active": "perhaps"})
            assert (told.status_code, told.json()["errors"][0]["field"]) == (400, "active")
        assert draws == [1]
        for _ in range(2):
            assert (await client.get("/openapi.json")).json()["openapi"].startswith("3.1")
        assert len(draws) == 2
