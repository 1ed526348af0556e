"""The backplane in this process: a product feature of its own, for one machine and one process."""

from cryptomarket.backplane.memory.bus import MemoryBus
from cryptomarket.backplane.memory.cache import MemoryCache
from cryptomarket.backplane.memory.demand import MemoryDemand
from cryptomarket.backplane.memory.lease import MemoryLeases
from cryptomarket.backplane.memory.limiter import MemoryLimiter
from cryptomarket.backplane.memory.mailroom import MemoryMailroom

__all__ = ["MemoryBus", "MemoryCache", "MemoryDemand", "MemoryLeases", "MemoryLimiter", "MemoryMailroom"]
