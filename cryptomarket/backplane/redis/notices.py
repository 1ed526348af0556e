"""Control notices on Redis: a short stream that every process hears from the moment on at which it began."""

import asyncio
from collections.abc import AsyncIterator

from cryptomarket.backplane.bus import Notice, NoticeKind
from cryptomarket.backplane.redis.answers import as_bytes, as_list
from cryptomarket.backplane.redis.link import RedisLink
from cryptomarket.errors import BusUnavailable

NOTICES_BOUND = 1024
LIFE_S = 86_400
_START = b"0-0"
_KINDS = frozenset(kind.value for kind in NoticeKind)


class Notices:
    """Tells and hears notices. While Redis is away nothing is heard; on return what was told meanwhile is.

    Bound: 1024 notices wait in Redis, and as many per listener; the oldest makes room, and listeners that must not miss
    one read their truth anew on a schedule.
    """

    def __init__(self, link: RedisLink) -> None:
        self._link = link
        self._key = link.keys.notices
        self._heard = _START
        self._losses = 0
        self._listeners: set[asyncio.Queue[Notice]] = set()

    async def begin(self) -> None:
        """What is told from now on is heard, once `run` runs. Raises BusUnavailable."""
        self._heard = await self._newest()

    async def _newest(self) -> bytes:
        newest = as_list(await self._link.ask("XREVRANGE", self._key, "+", "-", "COUNT", 1))
        return as_bytes(as_list(newest[0])[0]) if newest else _START

    async def notify(self, notice: Notice) -> None:
        """See Bus.notify."""
        told = (notice.kind.value, notice.subject)
        await self._link.together(
            ("XADD", self._key, "MAXLEN", "=", NOTICES_BOUND, "*", *told),
            ("EXPIRE", self._key, LIFE_S),
        )

    def listen(self) -> AsyncIterator[Notice]:
        """See Bus.notices."""
        queue: asyncio.Queue[Notice] = asyncio.Queue(maxsize=NOTICES_BOUND)
        self._listeners.add(queue)
        return self._drained(queue)

    async def _drained(self, queue: asyncio.Queue[Notice]) -> AsyncIterator[Notice]:
        try:
            while True:
                yield await queue.get()
        finally:
            self._listeners.discard(queue)

    async def run(self) -> None:
        """Hears, for as long as it runs."""
        while True:
            try:
                if self._losses:
                    await self._catch_up()
                await self._hear()
                self._losses = 0
            except BusUnavailable:
                self._losses += 1
                await asyncio.sleep(self._link.backoff.compute(self._losses))

    async def _catch_up(self) -> None:
        # A server that came back with less than we heard counts from there: all of it is new or was heard twice.
        if _moment(await self._newest()) < _moment(self._heard):
            self._heard = _START

    async def _hear(self) -> None:
        block_ms = round(self._link.longest_wait_s * 1000)
        read = await self._link.wait("XREAD", "BLOCK", block_ms, "STREAMS", self._key, self._heard)
        for stream in as_list(read or []):
            for entry in as_list(as_list(stream)[1]):
                id_, told = as_list(entry)
                self._heard = as_bytes(id_)
                kind, subject = (as_bytes(part).decode() for part in as_list(told))
                # While processes are updated one by one, a newer one may tell what is not known here.
                if kind in _KINDS:
                    self._tell(Notice(NoticeKind(kind), subject))

    def _tell(self, notice: Notice) -> None:
        for queue in self._listeners:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(notice)


def _moment(id_: bytes) -> tuple[int, int]:
    time_ms, _, count = id_.partition(b"-")
    return int(time_ms), int(count)
