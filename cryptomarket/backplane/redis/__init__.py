"""The backplane on one Redis (6.2 or later), shared by processes: leases, demand, limits and cache."""

from cryptomarket.backplane.redis.cache import RedisCache
from cryptomarket.backplane.redis.demand import RedisDemand
from cryptomarket.backplane.redis.lease import RedisLeases
from cryptomarket.backplane.redis.limiter import RedisLimiter
from cryptomarket.backplane.redis.link import RedisLink

__all__ = ["RedisCache", "RedisDemand", "RedisLeases", "RedisLimiter", "RedisLink"]
