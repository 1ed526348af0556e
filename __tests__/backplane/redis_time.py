"""The passing of time at a Redis, for tests that do not wait: everything that is written down there becomes older."""

from typing import cast

from redis import Redis


def grow_older(client: Redis, seconds: float) -> None:
    """Lives are shorter by so much, and ends nearer."""
    for key in cast("list[bytes]", client.keys("cryptomarket:*")):
        left_ms = client.pttl(key)
        if left_ms > 0:
            client.pexpire(key, max(0, round(left_ms - seconds * 1000)))
        if b":lease:" in key and client.hexists(key, "end_us"):
            client.hincrby(key, "end_us", -round(seconds * 1_000_000))
        if key.endswith(b"demand:ends"):
            for owner in cast("list[bytes]", client.zrange(key, 0, -1)):
                client.zincrby(key, -seconds * 1_000_000, owner)
        if b":limit:" in key:
            # Each take is its own name: the moment at which it was counted.
            for taken_us in cast("list[bytes]", client.zrange(key, 0, -1)):
                older_us = int(taken_us) - round(seconds * 1_000_000)
                client.zrem(key, taken_us)
                client.zadd(key, {str(older_us): older_us})
