"""What comes back from Redis."""

import pytest

from cryptomarket.backplane.redis.answers import as_bytes, as_int, as_list, as_pairs


def test_what_is_not_due_is_refused() -> None:
    """Promise: an answer of another shape is an accident, never a value."""
    assert as_bytes(b"x") == b"x"
    assert as_int(b"12") == as_int(12) == 12
    assert as_pairs([b"a", 1, b"b", [b"c"]]) == [(b"a", 1), (b"b", [b"c"])]
    for refused in (as_bytes, as_list, as_int, as_pairs):
        with pytest.raises(TypeError):
            refused(None)
    with pytest.raises(ValueError, match="shorter"):
        as_pairs([b"a", b"b", b"c"])
