"""The collection is the document's, with the older one's names, always in the same words."""

import json
from typing import Any

import pytest

from scripts.make_postman import COLLECTION, ROOT
from scripts.postman.collection import collection_of, environment

Json = Any  # collections and documents are JSON of many shapes

DOCUMENT: Json = {
    "info": {"description": "A gateway.\n\nThis gateway serves the exchange **simulator**."},
    "components": {"schemas": {}},
    "paths": {
        "/api/v1/market/{user_id}/get_order/{ticker}": {
            "get": {
                "operationId": "get_order", "tags": ["v1"], "security": [{"bearer": []}], "responses": {"200": {}},
                "parameters": [
                    {"name": "user_id", "in": "path"}, {"name": "ticker", "in": "path"},
                    {"name": "start_date", "in": "query", "required": True, "schema": {"examples": ["2026"]}},
                    {"name": "end_date", "in": "query", "schema": {"enum": [True]}},
                    {"name": "X-Request-ID", "in": "header"},
                ],
            }
        },
        "/api/v2/operation": {
            "get": {
                "operationId": "o", "tags": ["operation"], "security": [{}], "responses": {"200": {}}, "parameters": [],
            }
        },
    },
}  # fmt: skip
CONVERTED: Json = {
    "info": {"schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json", "_postman_id": "random"},
    "item": [
        {"name": "v1", "item": [{"id": "random", "name": "x", "request": {
            "method": "GET", "url": {"path": ["api", "v1", "market", ":user_id", "get_order", ":ticker"]}}}]},
        {"name": "operation", "item": [{"request": {"method": "GET", "url": {"path": ["api", "v2", "operation"]}}}]},
    ],
}  # fmt: skip


def test_names_variables_and_proof_are_ours() -> None:
    """Promise: older names, path variables of the older collection, only what is needed said, operators apart."""
    made = collection_of(CONVERTED, DOCUMENT)
    assert [folder["name"] for folder in made["item"]] == ["http", "operation"]
    [older] = made["item"][0]["item"]
    assert older["name"] == "v1_currency_filter"
    url = older["request"]["url"]
    assert url["raw"].startswith("{{url_remote}}/api/v1/market/:user_id/get_order/:ticker?start_date=2026-01-01")
    assert [(each["key"], each["value"]) for each in url["variable"]] == [
        ("user_id", "{{x_user_id}}"), ("ticker", "{{ticker}}")
    ]  # fmt: skip
    assert [(each["key"], each["value"], each.get("disabled", False)) for each in url["query"]] == [
        ("start_date", "2026-01-01_00:00:00", False), ("end_date", "true", True)
    ]  # fmt: skip
    [operators] = made["item"][1]["item"]
    assert "asker" in str(operators["request"]["auth"])
    assert made["info"]["description"] == "A gateway."
    assert "random" not in str(made)


def test_who_knows_the_older_collection_finds_his_requests() -> None:
    """Promise: the older collection's folders have its requests, under its names, and no others."""
    made = json.loads((ROOT / COLLECTION).read_text())
    folders = {folder["name"]: [item["name"] for item in folder["item"]] for folder in made["item"]}
    assert folders["sse"] == ["sse_V2"]
    assert folders["http"] == ["v1_currency", "v1_currency_cancel", "v1_currency_filter", "v1_currency_cancel_all"]
    assert {each["key"] for each in made["variable"]} >= {
        "url_remote", "x_client_Id", "x_secret_key", "x_user_id", "ticker"
    }  # fmt: skip


def test_the_same_document_makes_the_same_collection() -> None:
    """Promise: ids are of names, so that a change of the document changes its own lines alone."""
    assert collection_of(CONVERTED, DOCUMENT) == collection_of(CONVERTED, DOCUMENT)
    ids = [item["id"] for folder in collection_of(CONVERTED, DOCUMENT)["item"] for item in folder["item"]]
    assert len(set(ids)) == 2


def test_what_the_converter_leaves_out_is_told() -> None:
    """Promise: no endpoint gets lost on the way."""
    with pytest.raises(ValueError, match=r"left out.*operation"):
        collection_of({**CONVERTED, "item": CONVERTED["item"][:1]}, DOCUMENT)


def test_the_environment_is_that_of_make_run() -> None:
    """Promise: the older collection's variables are there, with the simulator's demo account."""
    values = {each["key"]: each["value"] for each in environment()["values"]}
    assert values["url_remote"] == "http://127.0.0.1:8003"
    assert (values["x_client_Id"], values["x_secret_key"], values["ticker"]) == ("demo-1", "demo-1-secret", "btc_usd")
    variables = {each["key"] for each in collection_of(CONVERTED, DOCUMENT)["variable"]}
    assert variables >= {"url_remote", "x_client_Id", "x_secret_key", "x_user_id", "ticker"}
