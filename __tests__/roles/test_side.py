"""What a side is when nothing is said of it."""

from cryptomarket.roles.side import Side


async def test_a_side_may_have_nothing_to_do() -> None:
    """Promise: a role without a last word, without listeners or speakers, is ended like any other."""
    side = Side()
    await side.farewell({})
    assert not side.listeners
    assert not side.speakers
