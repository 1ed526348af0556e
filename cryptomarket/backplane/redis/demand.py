"""What is wanted, on Redis, by the server's clock."""

from collections.abc import Collection

from cryptomarket.backplane.redis.answers import as_bytes, as_list
from cryptomarket.backplane.redis.link import RedisLink
from cryptomarket.backplane.redis.script import Script

_WANT = Script("want")


class RedisDemand:
    """`Demand` on Redis. A change that was said since the union was last asked for ends the wait at once, so none
    falls between asking and waiting. Bound: one entry per owner; what has lapsed goes with the next call.
    """

    def __init__(self, link: RedisLink) -> None:
        self._link = link
        self._heard = b"0-0"

    async def want(self, owner: str, tickers: Collection[str], *, life_s: float) -> None:
        """See Demand.want."""
        await self._link.run(_WANT, "want", owner, round(life_s * 1_000_000), "\n".join(sorted(set(tickers))))

    async def wanted(self) -> frozenset[str]:
        """See Demand.wanted."""
        heard, *wants = (as_bytes(part) for part in as_list(await self._link.run(_WANT, "look")))
        self._heard = heard
        return frozenset(ticker for want in wants for ticker in want.decode().split("\n") if ticker)

    async def changed(self, *, wait_s: float) -> None:
        """See Demand.changed. One command waits at most half the time after which an answer is late."""
        end_s = self._link.monotonic_s() + wait_s
        while (left_s := end_s - self._link.monotonic_s()) > 0:
            block_ms = max(1, round(min(left_s, self._link.longest_wait_s) * 1000))
            rung = await self._link.wait(
                "XREAD", "COUNT", 1, "BLOCK", block_ms, "STREAMS", self._link.keys.demand_bell, self._heard
            )
            if rung:
                await self.wanted()
                return
