"""The backplane on one Redis (6.2 or later), shared by processes."""

from cryptomarket.backplane.redis.address import Patience
from cryptomarket.backplane.redis.bus import RedisBus
from cryptomarket.backplane.redis.cache import RedisCache
from cryptomarket.backplane.redis.demand import RedisDemand
from cryptomarket.backplane.redis.lease import RedisLeases
from cryptomarket.backplane.redis.limiter import RedisLimiter
from cryptomarket.backplane.redis.link import RedisLink
from cryptomarket.backplane.redis.mailroom import RedisMailroom

__all__ = [
    "Patience",
    "RedisBus",
    "RedisCache",
    "RedisDemand",
    "RedisLeases",
    "RedisLimiter",
    "RedisLink",
    "RedisMailroom",
]
