"""What a method accepts, and the words Deribit finds for what it does not."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cryptomarket.simulator.refusals import bad_param

Type = Literal["string", "integer", "number", "boolean", "array", "any"]


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter. ``choices`` are compared as text; ``minimum`` and ``maximum`` include themselves."""

    name: str
    type: Type = "string"
    required: bool = False
    choices: frozenset[str] | None = None
    minimum: float | None = None
    maximum: float | None = None
    default: str | int | float | bool | None = None
    wrong_choice: str = "invalid value"


def check(specs: tuple[Param, ...], given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that a method understands, defaults filled in. Unknown ones are ignored.

    Raises:
        Refusal: -32602 naming the first parameter that is missing or wrong.
    """
    checked: dict[str, Any] = {}
    for spec in specs:
        value = given.get(spec.name)
        if value is None:
            if spec.required:
                raise bad_param(spec.name, "value required")
            checked[spec.name] = spec.default
            continue
        checked[spec.name] = _checked(spec, value)
    return checked


def _checked(spec: Param, value: object) -> object:
    if not _is(spec.type, value):
        raise bad_param(spec.name, "value must be a list" if spec.type == "array" else "wrong format")
    if spec.choices is not None and str(value) not in spec.choices:
        raise bad_param(spec.name, spec.wrong_choice)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if spec.minimum is not None and value < spec.minimum:
            raise bad_param(spec.name, f"value must be >= {spec.minimum:g}")
        if spec.maximum is not None and value > spec.maximum:
            raise bad_param(spec.name, f"value must be <= {spec.maximum:g}")
    return value


def _is(kind: Type, value: object) -> bool:
    match kind:
        case "any":
            return True
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "array":
            return isinstance(value, list) and all(isinstance(item, str) for item in value)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, (int, float)) and not isinstance(value, bool)


def from_query(specs: tuple[Param, ...], query: list[tuple[str, str]]) -> dict[str, Any]:
    """Parameters of a query string, given the types that a method expects.

    An array is written ``name[]=a&name[]=b``; anything else is not a list.

    Raises:
        Refusal: -32602 for an array that is not written so.
    """
    types = {spec.name: spec.type for spec in specs}
    given: dict[str, Any] = {}
    for name, text in query:
        plain = name.removesuffix("[]")
        if types.get(plain) == "array":
            if plain == name:
                raise bad_param(plain, "value must be a list")
            given.setdefault(plain, []).append(text)
        else:
            given[name] = _read(types.get(name, "string"), text)
    return given


def _read(kind: Type, text: str) -> object:
    if kind == "boolean":
        return {"true": True, "false": False}.get(text.lower(), text)
    try:
        if kind == "integer":
            return int(text)
        if kind == "number":
            return float(text)
    except ValueError:
        return text
    return text
