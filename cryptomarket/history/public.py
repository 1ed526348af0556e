"""Prices for anybody: the tickers that are collected anyway, so many questions a minute."""

import ipaddress
from zlib import crc32

from cryptomarket.backplane.limiter import Limiter
from cryptomarket.clock import Clock
from cryptomarket.errors import Forbidden, NotFound, TooMany

PERIOD_S = 60
# A customer of IPv6 has a whole /64 to come from (RFC 6177).
_IPV6_PREFIX_BITS = 64
OWN_COUNTS = 4096
SHARED_COUNTS = 64
"""So many counts at most, however many addresses ask: strangers must not fill the bus."""


class PublicPrices:
    """Whom the open paths answer, and about what. `per_minute` counts per address; 0 closes them.

    Bound: while OWN_COUNTS others have asked this process within the period, whoever comes new shares a count with
    others that do.
    """

    def __init__(self, limiter: Limiter, clock: Clock, *, tickers: tuple[str, ...], per_minute: int) -> None:
        self._limiter = limiter
        self._clock = clock
        # When each asker with a count of his own has last asked, the longest ago first.
        self._asked_s: dict[str, float] = {}
        self._tickers = frozenset(tickers)
        self._per_minute = per_minute

    async def admit(self, address: str) -> None:
        """Counts a question. Raises NotFound where these paths are closed, TooMany."""
        if self._per_minute == 0:
            raise NotFound("The open paths are closed here. GET /api/v2/ticks/{ticker} answers users.")
        room = await self._limiter.take(
            f"public-prices:{self._count_of(network_of(address))}", limit=self._per_minute, period_s=PERIOD_S
        )
        if not room.allowed:
            raise TooMany(
                f"An address may ask {self._per_minute} times a minute here.",
                retry_after_s=max(room.retry_after_s, 1.0),
                limit=self._per_minute,
            )

    def _count_of(self, network: str) -> str:
        now_s = self._clock.monotonic_s()
        while self._asked_s and now_s - next(iter(self._asked_s.values())) > PERIOD_S:
            del self._asked_s[next(iter(self._asked_s))]
        if self._asked_s.pop(network, None) is None and len(self._asked_s) >= OWN_COUNTS:
            return f"shared-{crc32(network.encode()) % SHARED_COUNTS}"
        self._asked_s[network] = now_s
        return network

    def check(self, ticker: str) -> None:
        """Raises Forbidden for a ticker that is not collected for everybody."""
        if ticker not in self._tickers:
            listed = ", ".join(sorted(self._tickers)) or "none"
            raise Forbidden(
                f"Without a token there are {listed}. GET /api/v2/ticks/{{ticker}} tells users of all.", field="ticker"
            )


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
