"""Ticks as values: when two say the same, and what an instrument's summary holds when nothing was sent."""

from dataclasses import fields
from decimal import Decimal

import pytest

from cryptomarket.market.instruments import Kind
from cryptomarket.market.ticks import SUMMARY_OF_KIND, OptionSummary, PerpetualSummary, Summary, Tick

TICK = Tick("BTC-PERPETUAL", "BTC-PERPETUAL", Kind.PERPETUAL, Decimal(85500), 1, 2, 3, PerpetualSummary())


def test_two_words_of_the_exchange_are_the_same_whenever_they_came() -> None:
    """Promise: a repeat is known by exchange time and content, not by when it was heard or published."""
    assert TICK.says_the_same(TICK._replace(received_us=20, published_us=30))


@pytest.mark.parametrize(
    "other",
    [
        TICK._replace(timestamp_ms=5),
        TICK._replace(price=None),
        TICK._replace(ticker="ETH-PERPETUAL"),
        TICK._replace(summary=PerpetualSummary(mark_price=Decimal(1))),
    ],
)
def test_other_time_or_content_is_another_word(other: Tick) -> None:
    """Promise: nothing new is dropped as a repeat."""
    assert not TICK.says_the_same(other)


@pytest.mark.parametrize(("kind", "summary"), SUMMARY_OF_KIND.items())
def test_what_was_not_sent_is_none_and_never_zero(kind: Kind, summary: type[Summary]) -> None:
    """Promise: a missing value is None."""
    assert kind is not Kind.INDEX
    nothing = summary()
    values = [getattr(nothing, field.name) for field in fields(nothing)]
    assert values
    assert not any(isinstance(value, Decimal) for value in values)
    assert nothing.last_price is None
    assert nothing.stats.volume is None


def test_only_options_have_greeks_and_only_perpetuals_funding() -> None:
    """Promise: fields of other kinds are absent."""
    assert hasattr(OptionSummary(), "greeks")
    assert not hasattr(OptionSummary(), "funding_8h")
    assert hasattr(PerpetualSummary(), "funding_8h")
    assert not hasattr(PerpetualSummary(), "greeks")
