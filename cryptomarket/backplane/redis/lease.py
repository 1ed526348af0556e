"""Leases on Redis, by the server's clock."""

from cryptomarket.backplane.lease import Lease
from cryptomarket.backplane.redis.answers import as_bytes, as_list
from cryptomarket.backplane.redis.link import RedisLink
from cryptomarket.backplane.redis.script import ORDER, Script

_ACQUIRE = Script("acquire", ORDER)
_RENEW = Script("renew", ORDER)
_HOLDERS = Script("holders", ORDER)
_GIVE_BACK = 0


class RedisLeases:
    """`Leases` on Redis. A lease ends with the epoch too. Tokens grow even when the data were lost, since each is at
    least the server's time in milliseconds. Bound: one hash per name.
    """

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    async def acquire(self, name: str, owner: str, *, life_s: float) -> Lease | None:
        """See Leases.acquire."""
        token = as_bytes(await self._link.run(_ACQUIRE, name, owner, round(life_s * 1_000_000)))
        return Lease(name, owner, int(token)) if token else None

    async def renew(self, lease: Lease, *, life_s: float) -> bool:
        """See Leases.renew."""
        return await self._link.run(_RENEW, lease.name, lease.owner, lease.token, round(life_s * 1_000_000)) == 1

    async def release(self, lease: Lease) -> None:
        """See Leases.release."""
        await self._link.run(_RENEW, lease.name, lease.owner, lease.token, _GIVE_BACK)

    async def holders(self) -> dict[str, Lease]:
        """See Leases.holders."""
        told = [as_bytes(part).decode() for part in as_list(await self._link.run(_HOLDERS))]
        return {
            name: Lease(name, owner, int(token))
            for name, owner, token in zip(told[::3], told[1::3], told[2::3], strict=True)
        }
