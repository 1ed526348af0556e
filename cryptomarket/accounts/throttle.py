"""Failed logins are slowed, per address and per client id, in all processes together."""

import hashlib
import hmac
import ipaddress

from cryptomarket.backplane.limiter import Limiter
from cryptomarket.errors import TooMany
from cryptomarket.secret import Secret

# A customer of IPv6 has a whole /64 to come from (RFC 6177).
_IPV6_PREFIX_BITS = 64


class Throttle:
    """Counts failures alone: who logs in rightly may do so as often as the exchange allows."""

    def __init__(
        self,
        limiter: Limiter,
        *,
        digest_key: Secret,
        per_address: int,
        per_client: int,
        period_s: int,
    ) -> None:
        self._limiter = limiter
        self._digest_key = digest_key
        self._per_address = per_address
        self._per_client = per_client
        self._period_s = period_s

    async def check(self, address: str, client_id: str) -> None:
        """Raises TooMany while this address or this client id has too many failures behind it."""
        for key, limit in self._windows(address, client_id):
            room = await self._limiter.look(key, limit=limit, period_s=self._period_s)
            if not room.allowed or room.remaining <= 0:
                raise TooMany(
                    "Too many failed logins. Wait before the next one.",
                    retry_after_s=max(room.retry_after_s, 1.0),
                    limit=limit,
                )

    async def failed(self, address: str, client_id: str) -> None:
        for key, limit in self._windows(address, client_id):
            await self._limiter.take(key, limit=limit, period_s=self._period_s)

    async def succeeded(self, client_id: str) -> None:
        """The address's failures stay: with one good pair it could try others for ever."""
        await self._limiter.clear(self._client_key(client_id), limit=self._per_client, period_s=self._period_s)

    def _windows(self, address: str, client_id: str) -> tuple[tuple[str, int], tuple[str, int]]:
        address_key = f"login-failures:address:{self._digest(_network(address))}"
        return (address_key, self._per_address), (self._client_key(client_id), self._per_client)

    def _client_key(self, client_id: str) -> str:
        return f"login-failures:client:{self._digest(client_id)}"

    def _digest(self, text: str) -> str:
        key = self._digest_key.reveal().encode()
        return hmac.new(key, b"throttle " + text.encode(), hashlib.sha256).hexdigest()[:32]


def _network(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:  # noqa: PLR2004 - the protocol's own number
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, _IPV6_PREFIX_BITS), strict=False))
