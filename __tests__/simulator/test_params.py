"""Parameters are checked in Deribit's words; a query string is read by the types a method expects."""

import pytest

from cryptomarket.simulator.params import Param, check, from_query
from cryptomarket.simulator.refusals import Refusal

SPECS = (
    Param("name", required=True),
    Param("count", "integer", minimum=1, maximum=1000, default=10),
    Param("kind", choices=frozenset(("future", "option"))),
    Param("channels", "array"),
    Param("extended", "boolean", default=False),
)


def test_defaults_are_filled_in_and_strangers_ignored() -> None:
    assert check(SPECS, {"name": "x", "stranger": 1}) == {
        "name": "x", "count": 10, "kind": None, "channels": None, "extended": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "param", "reason"),
    [
        ({}, "name", "value required"),
        ({"name": None}, "name", "value required"),
        ({"name": 7}, "name", "wrong format"),
        ({"name": "x", "count": 0}, "count", "value must be >= 1"),
        ({"name": "x", "count": 1001}, "count", "value must be <= 1000"),
        ({"name": "x", "count": True}, "count", "wrong format"),
        ({"name": "x", "kind": "spot"}, "kind", "invalid value"),
        ({"name": "x", "channels": "a"}, "channels", "value must be a list"),
    ],
)
def test_what_is_wrong_is_named(given: dict[str, object], param: str, reason: str) -> None:
    with pytest.raises(Refusal) as refused:
        check(SPECS, given)
    assert refused.value.code == -32602
    assert refused.value.data == {"reason": reason, "param": param}


def test_a_query_string_is_read() -> None:
    query = [("name", "7"), ("count", "7"), ("extended", "true"), ("channels[]", "a"), ("channels[]", "b")]
    assert from_query(SPECS, query) == {"name": "7", "count": 7, "extended": True, "channels": ["a", "b"]}


def test_an_array_needs_its_brackets() -> None:
    with pytest.raises(Refusal) as refused:
        from_query(SPECS, [("channels", "a"), ("channels", "b")])
    assert refused.value.data == {"reason": "value must be a list", "param": "channels"}
