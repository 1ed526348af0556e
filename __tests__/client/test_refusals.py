"""Each status is the error on which a caller acts."""

import pytest

from cryptomarket.client.refusals import GatewayFailed, error_of, seconds_of
from cryptomarket.errors import (
    Conflict,
    CryptomarketError,
    Forbidden,
    Impossible,
    Malformed,
    NotFound,
    Refusal,
    TooLarge,
    TooMany,
    Unauthenticated,
    Unavailable,
)

PROBLEM = b'{"title":"T","status":1,"detail":"Because.","request_id":"r-1","errors":[{"field":"timer","message":"m"}]}'


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, Malformed), (401, Unauthenticated), (403, Forbidden), (404, NotFound), (409, Conflict), (413, TooLarge),
     (422, Impossible), (429, TooMany), (502, Unavailable), (503, Unavailable), (500, GatewayFailed),
     (302, GatewayFailed)],
)  # fmt: skip
def test_a_status_is_an_error_of_the_tree(status: int, kind: type[CryptomarketError]) -> None:
    """Promise: what the gateway said is in the error, with the request by which its log finds it."""
    error = error_of(status, {"retry-after": "7", "ratelimit-limit": "20"}, PROBLEM, where="http://gateway.test")
    assert type(error) is kind
    assert str(error).startswith("Because.")
    assert error.__notes__ == ["request r-1"]
    if isinstance(error, Refusal) and not isinstance(error, TooMany):
        assert error.field == "timer"
    if isinstance(error, TooMany | Unavailable):
        assert error.retry_after_s == 7


def test_an_answer_of_somebody_else_is_told_as_such() -> None:
    """Promise: a proxy's page in place of a problem document breaks nothing."""
    error = error_of(503, {}, b"<html>", where="http://gateway.test")
    assert isinstance(error, Unavailable)
    assert error.retry_after_s == 1
    assert not hasattr(error, "__notes__")
    for status in (302, 404, 500, 503):
        told = str(error_of(status, {}, b"<html>", where="http://gateway.test"))
        assert told == f"http://gateway.test has answered without a reason, as no gateway does (status {status})"
    assert seconds_of({"retry-after": "Fri, 31 Dec 1999 23:59:59 GMT"}) == 1
