"""The tree of errors: every branch has its status and its sentence, and carries data rather than text."""

from typing import TypeVar

import pytest

from cryptomarket import errors
from cryptomarket.errors import ExchangeFatal, Fenced, Refusal, TooMany, Unavailable, UnknownTicker

Kind = TypeVar("Kind", bound=Exception)


def _all_below(kind: type[Kind]) -> set[type[Kind]]:
    below = set(kind.__subclasses__())
    return below.union(*(_all_below(each) for each in below)) if below else below


def test_every_error_of_the_module_is_in_the_drawn_tree() -> None:
    """Promise: the tree at the head of the module is true."""
    drawn = errors.__doc__ or ""
    ours = {kind for kind in _all_below(errors.CryptomarketError) if kind.__module__ == errors.__name__}
    assert ours
    names = {kind.__name__ for kind in ours}
    assert {name for name in names if name not in drawn} == set()


@pytest.mark.parametrize("kind", sorted(_all_below(Refusal), key=str))
def test_every_refusal_has_the_status_that_the_tree_says(kind: type[Refusal]) -> None:
    """Promise: the contract's status for each."""
    line = next((line for line in (errors.__doc__ or "").splitlines() if f" {kind.__name__} " in line), "")
    told = [word for word in line.split() if word.isdigit()]
    assert not told or int(told[0]) == kind.status
    assert 400 <= kind.status < 500
    assert kind.title


def test_an_unknown_ticker_names_the_nearest_and_never_echoes_endlessly() -> None:
    """Promise: 404 naming the nearest known ones."""
    told = UnknownTicker("btc_usdd", ["btc_usd", "btc_usdc"])
    assert told.status == 404
    assert "Did you mean btc_usd, btc_usdc?" in told.detail
    assert len(UnknownTicker("x" * 10_000).detail) < 200


def test_errors_carry_their_data() -> None:
    """Promise: who handles an error needs no parsing."""
    assert (TooMany("wait", retry_after_s=3, limit=5).retry_after_s, TooMany("w", retry_after_s=3, limit=5).limit) == (
        3,
        5,
    )
    assert Unavailable("away").retry_after_s > 0
    assert str(ExchangeFatal(13004, "invalid_credentials", method="public/auth")) == (
        "public/auth: exchange error 13004 invalid_credentials"
    )
    assert Fenced("slot:1", 4).token == 4
