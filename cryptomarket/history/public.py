"""Prices for anybody: the tickers that are collected anyway, so many questions a minute."""

import ipaddress
from zlib import crc32

from cryptomarket.backplane.limiter import Limiter
from cryptomarket.errors import Forbidden, NotFound, TooMany

PERIOD_S = 60
# A customer of IPv6 has a whole /64 to come from (RFC 6177).
_IPV6_PREFIX_BITS = 64
COUNTS = 4096
"""So many counts at most, however many addresses ask: what nobody is known by must not fill the bus."""


class PublicPrices:
    """Whom the open paths answer, and about what. `per_minute` counts per address, or where more than
    COUNTS ask at once, per those few that share a count; 0 closes them.
    """

    def __init__(self, limiter: Limiter, *, tickers: tuple[str, ...], per_minute: int) -> None:
        self._limiter = limiter
        self._tickers = frozenset(tickers)
        self._per_minute = per_minute

    async def admit(self, address: str) -> None:
        """Counts a question. Raises NotFound where these paths are closed, TooMany."""
        if self._per_minute == 0:
            raise NotFound("The open paths are closed here. GET /api/v2/ticks/{ticker} answers users.")
        room = await self._limiter.take(f"public-prices:{count_of(address)}", limit=self._per_minute, period_s=PERIOD_S)
        if not room.allowed:
            raise TooMany(
                f"An address may ask {self._per_minute} times a minute here.",
                retry_after_s=max(room.retry_after_s, 1.0),
                limit=self._per_minute,
            )

    def check(self, ticker: str) -> None:
        """Raises Forbidden for a ticker that is not collected for everybody."""
        if ticker not in self._tickers:
            listed = ", ".join(sorted(self._tickers)) or "none"
            raise Forbidden(
                f"Without a token there are {listed}. GET /api/v2/ticks/{{ticker}} tells users of all.", field="ticker"
            )


def count_of(address: str) -> int:
    """The number of an asker's count, the same in every process."""
    return crc32(network_of(address).encode()) % COUNTS


def network_of(address: str) -> str:
    """What counts as one asker: an IPv4 address, or the network of an IPv6 one."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, _IPV6_PREFIX_BITS), strict=False))
