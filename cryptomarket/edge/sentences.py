"""What is wrong with a parameter, in a plain sentence: which one, in what way, and what would be right."""

from collections.abc import Mapping, Sequence
from typing import Any

from cryptomarket.problems import FieldProblem

# What the framework found and what the document says of a parameter: JSON of many shapes.
Json = Any

# Kinds of findings that say "this can be read, and cannot be" rather than "this cannot be read", and their words.
_IMPOSSIBLE = {
    "enum": "is none of the choices",
    "literal_error": "is none of the choices",
    "greater_than": "is too small",
    "greater_than_equal": "is too small",
    "less_than": "is too large",
    "less_than_equal": "is too large",
    "finite_number": "is not finite",
    "string_too_long": "is too long",
    "string_too_short": "is too short",
    "too_long": "is too long",
    "too_short": "is too short",
    "string_pattern_mismatch": "is written differently",
    "value_error": "cannot be",
}
_SHAPES = {"dict_type", "model_type", "model_attributes_type", "dataclass_type"}
NO_OBJECT = "The body can't be read: it must be a JSON object."
_NOUNS = {"integer": "a whole number", "number": "a number", "boolean": "true or false"}


def status_of(found: Sequence[Mapping[str, Json]]) -> int:
    """422 when everything that was found can be read, else 400."""
    return 422 if all(each["type"] in _IMPOSSIBLE for each in found) else 400


def sentences(
    found: Sequence[Mapping[str, Json]], parameters: Sequence[Mapping[str, Json]], schemas: Mapping[str, Json]
) -> list[FieldProblem]:
    """One sentence for each finding of the validator. What was sent is never repeated.

    `parameters` are the operation's own in the OpenAPI document, `schemas` its components.
    """
    described = {parameter["name"]: parameter for parameter in parameters}
    told = []
    for each in found:
        if _is_no_object(each):
            told.append(FieldProblem(field="body", message=NO_OBJECT))
            continue
        name = ".".join(str(step) for step in each["loc"][1:]) or "body"
        right = _right(described[name], schemas) if name in described else ""
        told.append(FieldProblem(field=name, message=f"{name} {_wrong(each['type'])}{right}."))
    return told


def _is_no_object(found: Mapping[str, Json]) -> bool:
    """Whether the body as a whole is no JSON, or JSON of another shape. Of what can't be parsed, the place is where."""
    place = found["loc"]
    return place[0] == "body" and (found["type"] == "json_invalid" or (len(place) == 1 and found["type"] in _SHAPES))


def _wrong(kind: str) -> str:
    return "is missing" if kind == "missing" else _IMPOSSIBLE.get(kind, "can't be read")


def _right(parameter: Mapping[str, Json], schemas: Mapping[str, Json]) -> str:
    """`: it must be …`, or nothing where any text will do."""
    schema = parameter["schema"]
    [shape, *_] = [variant for variant in schema.get("anyOf", [schema]) if variant.get("type") != "null"]
    if "$ref" in shape:
        shape = schemas[shape["$ref"].rpartition("/")[2]]
    if "const" in shape:
        return f": it must be {shape['const']}"
    if "enum" in shape:
        return f": it must be {' or '.join(str(choice) for choice in shape['enum'])}"
    if "format" in schema:
        return f": it must be written {schema['format']}{_example(parameter)}"
    if shape.get("type") == "string":
        return f": it must have {_between(shape, 'Length')} characters" if _between(shape, "Length") else ""
    bounds = _between(shape, "imum")
    example = "" if shape.get("type") == "boolean" else _example(parameter)
    return (
        f": it must be {_NOUNS.get(shape.get('type', ''), 'what the document says')}{bounds and ' ' + bounds}{example}"
    )


def _between(shape: Mapping[str, Json], word: str) -> str:
    least, most = shape.get(f"min{word}"), shape.get(f"max{word}")
    if least is not None and most is not None:
        return f"from {_number(least)} to {_number(most)}"
    if least is not None:
        return f"of at least {_number(least)}" if word == "imum" else f"at least {_number(least)}"
    return "" if most is None else f"{'of ' if word == 'imum' else ''}at most {_number(most)}"


def _number(bound: float) -> str:
    # The document has bounds of whole numbers as floats, too.
    return str(int(bound)) if float(bound).is_integer() else str(bound)


def _example(parameter: Mapping[str, Json]) -> str:
    schema = parameter["schema"]
    shown = [*schema.get("examples", []), parameter.get("example")]
    return f", such as {shown[0]}" if shown[0] is not None else ""
