"""What a caller sees of his subscriptions."""

import pytest
from pydantic import BaseModel

from cryptomarket.live import schemas
from cryptomarket.market.ticks import FeedState


@pytest.mark.parametrize("model", [schemas.Subscribed, schemas.Cancelled, schemas.CancelledAll, schemas.Subscription])
def test_every_field_has_an_example_that_is_valid(model: type[BaseModel]) -> None:
    """The document shows what really comes."""
    shown = {name: (field.examples or [None])[0] for name, field in model.model_fields.items()}
    assert model.model_validate(shown).model_dump() == shown


def test_a_feed_without_data_is_written_out() -> None:
    """Null, never missing and never zero."""
    row = schemas.Subscription(
        ticker="btc_usd", subscribed_ms=1, state=FeedState.UNKNOWN, since_ms=None, age_ms=None
    ).model_dump(mode="json")
    assert row == {"ticker": "btc_usd", "subscribed_ms": 1, "state": "unknown", "since_ms": None, "age_ms": None}


def test_the_older_answers_lie_in_detail() -> None:
    """v1 wraps the same bodies."""
    told = schemas.CancelledAllV1(detail=schemas.CancelledAll(cancelled=["btc_usd"]))
    assert told.model_dump() == {"detail": {"cancelled": ["btc_usd"]}}
