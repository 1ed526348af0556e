"""Request and reply between processes, on Redis, by the server's clock."""

from collections.abc import AsyncIterator

from cryptomarket.backplane.mailroom import Letter
from cryptomarket.backplane.redis.answers import as_bytes, as_list
from cryptomarket.backplane.redis.link import RedisLink
from cryptomarket.backplane.redis.script import Script
from cryptomarket.errors import BusUnavailable, Unavailable

BOX_BOUND = 64

_POST = Script("post")
_OPEN = Script("open")
_REPLY = Script("reply")
_WITHDRAW = Script("withdraw")


class RedisLetter:
    """A letter whose asker waits in whichever process."""

    def __init__(self, link: RedisLink, name: str, body: bytes) -> None:
        self._link = link
        self._name = name
        self.body = body

    async def reply(self, body: bytes) -> None:
        """See Letter.reply."""
        await self._link.run(_REPLY, self._name, body)


class RedisMailroom:
    """`Mailroom` on Redis. Bound: 64 letters wait in a box; letter and reply are gone with the asker's deadline."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    async def ask(self, box: str, body: bytes, *, timeout_s: float) -> bytes:
        """See Mailroom.ask."""
        name = self._link.new_name()
        end_s = self._link.monotonic_s() + timeout_s
        life_ms = max(1, round(timeout_s * 1000))
        if not await self._link.run(_POST, box, name, life_ms, BOX_BOUND, body):
            raise Unavailable("Too many requests of this kind are waiting.", retry_after_s=1.0)
        try:
            while (left_s := end_s - self._link.monotonic_s()) > 0:
                block_s = max(0.001, min(left_s, self._link.longest_wait_s))
                answer = await self._link.wait("BLPOP", self._link.keys.mail_reply(name), f"{block_s:.3f}")
                if answer:
                    return as_bytes(as_list(answer)[1])
        finally:
            await self._withdraw(box, name)
        raise Unavailable("Nobody answered in time.")

    async def _withdraw(self, box: str, name: str) -> None:
        try:
            await self._link.run(_WITHDRAW, box, name)
        except BusUnavailable:
            # Its deadline takes it away in any case.
            return

    async def letters(self, box: str) -> AsyncIterator[Letter]:
        """See Mailroom.letters. Raises BusUnavailable: whoever reads begins anew."""
        while True:
            found = as_list(await self._link.run(_OPEN, box))
            if found:
                name, body = (as_bytes(part) for part in found)
                yield RedisLetter(self._link, name.decode(), body)
            else:
                await self._link.wait("BLPOP", self._link.keys.mail_bell(box), f"{self._link.longest_wait_s:.3f}")
