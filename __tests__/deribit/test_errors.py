"""Error codes: each is retryable or fatal once, and every recorded one is what we take it for."""

import json

import pytest

from __tests__.deribit.samples import lines
from cryptomarket.deribit.errors import FAMILIES, blames_us, failure_of, names_nothing, spent
from cryptomarket.errors import ExchangeFatal, ExchangeRetryable


def test_a_code_belongs_to_one_family() -> None:
    codes = [code for family in FAMILIES for code in family.codes]
    assert len(codes) == len(set(codes))


def test_every_family_says_why() -> None:
    assert all(family.reason and all(family.codes.values()) for family in FAMILIES)


@pytest.mark.parametrize("code", [10028, 10040, 10041, 10066, 11051, 11056, 13009, 13025, 13028, 13503, 13888])
def test_what_passes_by_itself_may_be_asked_again(code: int) -> None:
    assert type(failure_of(code, "m", "public/test")) is ExchangeRetryable


@pytest.mark.parametrize("code", [13004, 13778, 13403, -32602, -32601, -32600, 11050, 10009, 777])
def test_what_stays_wrong_may_not(code: int) -> None:
    assert type(failure_of(code, "m", "public/test")) is ExchangeFatal


def test_spent_credits_are_told_from_other_refusals() -> None:
    assert spent(failure_of(10028, "too_many_requests", "public/test"))
    assert not spent(failure_of(10066, "too_many_concurrent_requests", "public/test"))


def test_every_recorded_error_is_classified_as_what_it_was() -> None:
    errors = [json.loads(line)["error"] for line in lines("replies_errors.jsonl")]
    made = {(error["code"], type(failure_of(error["code"], error["message"], "m"))) for error in errors}
    assert made == {
        (-32602, ExchangeFatal),
        (13004, ExchangeFatal),
        (13009, ExchangeRetryable),
        (13778, ExchangeFatal),
        (11050, ExchangeFatal),
        (-32601, ExchangeFatal),
        (-32600, ExchangeFatal),
    }


@pytest.mark.parametrize(
    ("code", "reason", "nothing", "ours"),
    [
        (-32602, "instrument not found", True, False),
        (-32602, "wrong format", True, False),
        (10020, "", True, False),
        (-32602, "", False, True),
        (-32602, "value must be a list", False, True),
        (-32601, "", False, True),
        (11051, "", False, False),
        (13004, "", False, False),
    ],
)
def test_an_unknown_name_is_told_from_a_fault_of_ours(code: int, reason: str, nothing: bool, ours: bool) -> None:
    """Promise: nobody is told that his ticker does not exist because we asked for it wrongly."""
    error = failure_of(code, "m", "public/subscribe", reason)
    assert (names_nothing(error), blames_us(error)) == (nothing, ours)
