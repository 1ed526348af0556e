"""What is wrong with a parameter is said so that a person can mend it."""

from typing import Any

import pytest

from cryptomarket.edge.sentences import sentences, status_of

Json = Any  # what JSON may be

SCHEMAS = {"Mode": {"type": "string", "enum": ["all", "latest"]}}
OPTIONAL = {"anyOf": [{"type": "number", "minimum": 0.05, "maximum": 3600}, {"type": "null"}], "examples": [0.5]}
PARAMETERS: list[dict[str, Json]] = [
    {"name": "timer", "schema": OPTIONAL},
    {"name": "limit", "schema": {"type": "integer", "minimum": 1, "maximum": 10_000}, "example": 100},
    {"name": "least", "schema": {"type": "number", "minimum": 1}},
    {"name": "mode", "schema": {"$ref": "#/components/schemas/Mode"}},
    {"name": "format", "schema": {"type": "string", "const": "json"}},
    {"name": "cookie", "schema": {"type": "boolean"}, "example": True},
    {"name": "tickers", "schema": {"anyOf": [{"type": "string", "maxLength": 16_384}, {"type": "null"}]}},
    {"name": "date", "schema": {"type": "string", "format": "YYYY-MM-DD", "examples": ["2026-01-31"]}},
    {"name": "word", "schema": {"type": "string"}},
    {"name": "moment", "schema": {"type": "integer", "minimum": 0.0, "maximum": 253_402_300_800_000.0}},
]


def finding(kind: str, *where: str) -> Json:
    return {"type": kind, "loc": ("query", *where), "msg": "Input should be a valid number", "input": "hunter2"}


@pytest.mark.parametrize(
    ("kind", "name", "sentence"),
    [
        ("float_parsing", "timer", "timer can't be read: it must be a number from 0.05 to 3600, such as 0.5."),
        ("greater_than_equal", "timer", "timer is too small: it must be a number from 0.05 to 3600, such as 0.5."),
        ("finite_number", "timer", "timer is not finite: it must be a number from 0.05 to 3600, such as 0.5."),
        ("less_than_equal", "limit", "limit is too large: it must be a whole number from 1 to 10000, such as 100."),
        ("missing", "limit", "limit is missing: it must be a whole number from 1 to 10000, such as 100."),
        ("greater_than_equal", "least", "least is too small: it must be a number of at least 1."),
        ("less_than_equal", "moment", "moment is too large: it must be a whole number from 0 to 253402300800000."),
        ("enum", "mode", "mode is none of the choices: it must be all or latest."),
        ("literal_error", "format", "format is none of the choices: it must be json."),
        ("bool_parsing", "cookie", "cookie can't be read: it must be true or false."),
        ("string_too_long", "tickers", "tickers is too long: it must have at most 16384 characters."),
        ("string_type", "word", "word can't be read."),
        ("missing", "date", "date is missing: it must be written YYYY-MM-DD, such as 2026-01-31."),
        ("something_new", "unknown", "unknown can't be read."),
    ],
)
def test_a_sentence_says_what_where_and_what_would_be_right(kind: str, name: str, sentence: str) -> None:
    """Promise: no word of the validator's own, nothing of what was sent."""
    [told] = sentences([finding(kind, *([name] if name else []))], PARAMETERS, SCHEMAS)
    assert (told.field, told.message) == (name or "body", sentence)


@pytest.mark.parametrize(
    ("kinds", "status"),
    [(["float_parsing"], 400), (["enum"], 422), (["enum", "missing"], 400), (["less_than", "literal_error"], 422)],
)
def test_one_that_cannot_be_read_is_enough(kinds: list[str], status: int) -> None:
    """Promise: 422 when all of it can be read, else 400."""
    assert status_of([finding(kind, "timer") for kind in kinds]) == status


@pytest.mark.parametrize(
    ("kind", "where"),
    [("json_invalid", ("body", 1)), ("json_invalid", ("body",)), ("dict_type", ("body",)), ("model_type", ("body",)),
     ("model_attributes_type", ("body",))],
)  # fmt: skip
def test_a_body_that_is_no_object_says_so(kind: str, where: tuple[str | int, ...]) -> None:
    """Promise: the same sentence for what is no JSON, wherever it breaks off, and for JSON of another shape."""
    [told] = sentences([{"type": kind, "loc": where}], PARAMETERS, SCHEMAS)
    assert (told.field, told.message) == ("body", "The body can't be read: it must be a JSON object.")


def test_a_part_of_a_body_is_named() -> None:
    """Promise: where the body is an object, it is the field within it that can't be read."""
    [told] = sentences([{"type": "dict_type", "loc": ("body", "settings")}], PARAMETERS, SCHEMAS)
    assert (told.field, told.message) == ("settings", "settings can't be read.")
