"""A moment is the same wherever it is said."""

from datetime import UTC, datetime

import pytest

from cryptomarket.client.times import text_of


def test_moments_are_texts_that_the_gateway_reads() -> None:
    """Promise: integers and texts go as they are, datetimes with their zone; one without is refused."""
    assert text_of(1790165113481) == "1790165113481"
    assert text_of("2026-01-31") == "2026-01-31"
    assert text_of(datetime(2026, 1, 31, 12, tzinfo=UTC)) == "2026-01-31T12:00:00+00:00"
    assert text_of(None) is None
    naive = datetime(2026, 1, 31, tzinfo=UTC).replace(tzinfo=None)
    with pytest.raises(ValueError, match="no zone"):
        text_of(naive)
