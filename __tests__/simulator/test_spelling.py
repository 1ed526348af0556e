"""Numbers and frames look as they do on Deribit's wire."""

import json
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from __tests__.simulator.talk import DATA
from cryptomarket.simulator.spelling import encode, notification, number_token


@pytest.mark.parametrize(
    ("value", "token"),
    [(85_500.0, "8.55e4"), (83_950.0, "83950.0"), (1_000_200.0, "1.0002e6"), (3.1e-5, "3.1e-5"), (8_700.0, "8.7e3"),
     (-0.00021714, "-2.1714e-4"), (0.0, "0.0"), (10.0, "10.0"), (2.0e-5, "2.0e-5"), (0.0012, "0.0012")],
)  # fmt: skip
def test_a_number_takes_the_form_that_was_recorded(value: float, token: str) -> None:
    assert number_token(value) == token


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_token_is_json_and_loses_nothing(value: float) -> None:
    token = number_token(value)
    assert json.loads(token) == value
    assert re.fullmatch(r"-?\d+\.\d+(e-?\d+)?", token)


def test_recorded_tokens_are_reproduced() -> None:
    """Every float of frames that were recorded on the wire in 2026, not normalised by another program."""
    text = "".join((DATA / "notif_ticker.jsonl").read_text().splitlines()[2:6])
    tokens = [token for token in re.findall(r":(-?\d+\.\d+(?:e-?\d+)?)[,}]", text) if not math.isinf(float(token))]
    assert len(tokens) > 40
    assert [number_token(float(token)) for token in tokens] == tokens


def test_a_notification_has_no_id_and_no_timing() -> None:
    frame = notification("deribit_price_index.btc_usd", {"price": 85_500.0})
    assert frame == (
        b'{"jsonrpc":"2.0","method":"subscription","params":{"channel":"deribit_price_index.btc_usd",'
        b'"data":{"price":8.55e4}}}'
    )


def test_nested_values_are_spelled_too() -> None:
    assert encode({"bids": [["new", 85_500.0, 10]], "none": None, "on": True}) == (
        b'{"bids":[["new",8.55e4,10]],"none":null,"on":true}'
    )
