"""Short-lived values, and values that are read once."""

import asyncio

from __tests__.conformance.form import Backplane


async def test_a_value_lives_as_long_as_was_said(backplane: Backplane) -> None:
    """Promise: 15 seconds are 15 seconds."""
    await backplane.cache.put("key", b"value", life_s=15)
    await backplane.advance(14)
    assert await backplane.cache.get("key") == b"value"
    await backplane.advance(2)
    assert await backplane.cache.get("key") is None
    assert await backplane.cache.take("key") is None


async def test_of_two_who_take_at_once_one_gets_it(backplane: Backplane) -> None:
    """Promise: read once."""
    await backplane.cache.put("key", b"value", life_s=15)
    taken = await asyncio.gather(*(backplane.cache.take("key") for _ in range(5)))
    assert sorted(value or b"" for value in taken) == [b"", b"", b"", b"", b"value"]
    assert await backplane.cache.get("key") is None


async def test_putting_again_replaces_value_and_life(backplane: Backplane) -> None:
    """Promise: a renewed value lives on."""
    await backplane.cache.put("key", b"old", life_s=10)
    await backplane.cache.put("key", b"new", life_s=100)
    await backplane.advance(50)
    assert await backplane.cache.get("key") == b"new"
    await backplane.cache.delete("key")
    await backplane.cache.delete("key")
    assert await backplane.cache.get("key") is None


async def test_keys_by_their_beginning(backplane: Backplane) -> None:
    """Promise: only values that are alive are named."""
    await backplane.cache.put("peer:a", b"", life_s=10)
    await backplane.cache.put("peer:b", b"", life_s=100)
    await backplane.cache.put("other", b"", life_s=100)
    await backplane.advance(50)
    assert await backplane.cache.keys("peer:") == ["peer:b"]


async def test_what_was_replaced_or_taken_leaves_nothing_behind(backplane: Backplane) -> None:
    """Promise: bounded by what is alive, however often it is renewed."""
    for at in range(1000):
        await backplane.cache.put("key", str(at).encode(), life_s=1000)
    assert await backplane.cache.get("key") == b"999"
    assert await backplane.cache.keys("") == ["key"]
