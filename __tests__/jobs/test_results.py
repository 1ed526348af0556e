"""What a job has come to, as it is kept and shown."""

import json
from decimal import Decimal

import pytest

from cryptomarket.jobs.results import MAX_RESULT, read_result, result_text

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1X21mcmcifQ.c2lnbmF0dXJl"


def test_keys_and_shape_stay_whatever_their_names() -> None:
    """Promise: a ticker with the name of a secret makes no result unreadable; a number stays as exact as it was."""
    stored = {"token": {"price": Decimal("95413.230"), "timestamp": 1}, "btc_usd": {"price": None, "timestamp": 2}}
    refused = {"token": "no such", "secret": "no such"}
    text = result_text({"stored": stored, "refused": refused, "names": ["token", "x"]})
    assert '"price":95413.230' in text
    assert read_result(text) == {
        "stored": {"token": {"price": 95413.23, "timestamp": 1}, "btc_usd": {"price": None, "timestamp": 2}},
        "refused": {"token": "***", "secret": "***"},
        "names": ["token", "x"],
    }


def test_what_looks_like_a_secret_is_starred() -> None:
    """Promise: wherever in a result it stands, in a text of its own or within one, as a key or as an item."""
    text = result_text(
        {
            "said": f"It answered {TOKEN}.",
            "parts": {"bus": {"detail": "redis://me:hunter2@host"}},
            "listed": [TOKEN],
            TOKEN: 1,
            "password": "hunter2",
        }
    )
    assert TOKEN not in text
    assert "hunter2" not in text
    assert read_result(text) == {
        "said": "It answered ***.",
        "parts": {"bus": {"detail": "redis://me:***@host"}},
        "listed": ["***"],
        "***": 1,
        "password": "***",
    }


def test_of_what_is_too_long_the_first_and_the_counts_are_kept() -> None:
    """Promise: a run of 200 options says how many it has stored, and shows the first; it never tells nothing."""
    names = [f"BTC-25DEC26-{strike}000-C" for strike in range(200)]
    stored = {name: {"price": Decimal("0.0123"), "timestamp": 1_790_165_100_000} for name in names}
    text = result_text({"stored": stored, "refused": {"nope": "There is no ticker 'nope'."}, "rows": 200})
    told = json.loads(text)
    assert len(text) <= MAX_RESULT
    assert (told["counts"], told["rows"]) == ({"stored": 200, "refused": 1}, 200)
    assert list(told["stored"]) == names[:100]
    assert told["refused"] == {"nope": "There is no ticker 'nope'."}


def test_a_result_is_never_longer_than_its_bound() -> None:
    """Promise: one that fits is kept as it is, to the last character; one of a single long text says its length."""
    fits = {"text": "x" * (MAX_RESULT - len('{"text":""}'))}
    assert read_result(result_text(fits)) == fits
    longer = {"text": fits["text"] + "x"}
    assert read_result(result_text(longer)) == {"omitted": f"a result of {MAX_RESULT + 1} characters"}
    listed = read_result(result_text({"differences": ["x" * 5000] * 10, "rows": 10}))
    assert listed == {"differences": ["x" * 5000], "rows": 10, "counts": {"differences": 10}}


@pytest.mark.parametrize("text", ['{"refused":{"secret":***}}', "[1]", ""])
def test_what_can_not_be_read_says_so(text: str) -> None:
    """Promise: one result that an earlier release has broken keeps no list of runs from being read."""
    assert read_result(text) == {"omitted": "a result that can't be read"}
