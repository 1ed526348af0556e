"""Groups of consumers: who gets what of the log, what the dead left, and what nobody will get."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from cryptomarket.backplane.bus import Loss
from cryptomarket.backplane.redis.answers import Value, as_bytes, as_int, as_list, as_pairs
from cryptomarket.backplane.redis.entries import entry_id, publications_of
from cryptomarket.backplane.redis.link import RedisLink
from cryptomarket.backplane.redis.script import LOG, ORDER, Script
from cryptomarket.errors import BusUnavailable
from cryptomarket.market.position import Position
from cryptomarket.market.wire import Publication

_CLAIM = Script("claim", ORDER)
_GROUP = Script("group", ORDER)
_FORGET = Script("forget", LOG)
_LOOKS_PER_DEATH = 4
# What Redis says where the epoch has ended, or everything is gone.
_GONE = ("NOGROUP", "UNBLOCKED")


@dataclass
class _Seat:
    """A consumer of this process: the epoch that it reads, and when it last looked for what others left."""

    epoch: str | None = None
    looked_s: float = 0.0


class Groups:
    """Consuming, on Redis. A consumer that comes back in another process gets at once what it left; what a consumer
    left that stays away goes to the others after `dead_s` seconds. What is owed of an epoch that has ended comes first.
    """

    def __init__(self, link: RedisLink, *, dead_s: float) -> None:
        self._link = link
        self._dead_s = dead_s
        self._name = link.new_name()
        self._seats: dict[tuple[str, str], _Seat] = {}

    async def consume(self, group: str, consumer: str, *, limit: int, wait_s: float) -> list[Publication]:
        """See Bus.consume."""
        seat = self._seats.setdefault((group, consumer), _Seat())
        end_s = self._link.monotonic_s() + wait_s
        while True:
            batch = await self._left_by_others(seat, group, consumer, limit)
            if len(batch) < limit and seat.epoch is not None:
                left_s = 0.0 if batch else end_s - self._link.monotonic_s()
                batch += await self._unread(seat, group, consumer, limit - len(batch), left_s)
            if batch or self._link.monotonic_s() >= end_s:
                return batch
            await self._look_at_epoch(seat)

    async def _left_by_others(self, seat: _Seat, group: str, consumer: str, limit: int) -> list[Publication]:
        now_s = self._link.monotonic_s()
        if seat.epoch is not None and now_s - seat.looked_s < self._dead_s / _LOOKS_PER_DEATH:
            return []
        dead_ms = round(self._dead_s * 1000)
        told = as_list(
            await self._link.run(_CLAIM, group, self._full(consumer), consumer, limit, dead_ms),
        )
        batch: list[Publication] = []
        for epoch, entries in as_pairs(told[1:]):
            found = publications_of(as_bytes(epoch).decode(), entries)
            batch += sorted(found, key=lambda publication: publication.seq)
        if len(batch) < limit:
            seat.epoch, seat.looked_s = as_bytes(told[0]).decode(), now_s
        return batch

    def _full(self, consumer: str) -> str:
        """The consumer's name in this process alone."""
        return f"{consumer}:{self._name}"

    async def _unread(self, seat: _Seat, group: str, consumer: str, limit: int, wait_s: float) -> list[Publication]:
        epoch = seat.epoch or ""
        command: list[Value] = ["XREADGROUP", "GROUP", group, self._full(consumer), "COUNT", limit]
        streams: tuple[Value, ...] = ("STREAMS", self._link.keys.log(epoch), ">")
        try:
            if wait_s > 0:
                block_ms = max(1, round(min(wait_s, self._link.longest_wait_s) * 1000))
                read = await self._link.wait(*command, "BLOCK", block_ms, *streams)
            else:
                read = await self._link.ask(*command, *streams)
        except BusUnavailable as refused:
            if str(refused.__cause__).startswith(_GONE):
                seat.epoch = None
                return []
            raise
        return publications_of(epoch, as_list(as_list(read)[0])[1]) if read else []

    async def _look_at_epoch(self, seat: _Seat) -> None:
        epoch = await self._link.ask("HGET", self._link.keys.order, "epoch")
        if epoch is None or as_bytes(epoch).decode() != seat.epoch:
            seat.epoch = None

    async def acknowledge(self, group: str, batch: Sequence[Publication]) -> None:
        """See Bus.acknowledge."""
        for epoch, publications in groupby(batch, key=lambda publication: publication.position.epoch):
            ids = [entry_id(publication.seq) for publication in publications]
            await self._link.ask("XACK", self._link.keys.log(epoch), group, *ids)

    async def acknowledged(self, group: str) -> int:
        """See Bus.acknowledged."""
        return as_int(as_list(await self._link.run(_GROUP, group))[0])

    async def given_up(self, group: str) -> int:
        """See Bus.given_up."""
        return as_int(as_list(await self._link.run(_GROUP, group))[1])

    async def losses(self, group: str) -> list[Loss]:
        """See Bus.losses."""
        told = await self._link.ask("HGETALL", self._link.keys.losses(group))
        return [_loss_of(as_bytes(field).decode(), as_bytes(value).decode()) for field, value in as_pairs(told)]

    async def forget(self, group: str, losses: Sequence[Loss]) -> None:
        """See Bus.forget."""
        if losses:
            await self._link.run(_FORGET, group, *(part for loss in losses for part in _told_of(loss)))


def _loss_of(field: str, value: str) -> Loss:
    epoch, _, ticker = field.partition(" ")
    first, last_seq, count, first_ms, last_ms = value.split(" ")
    return Loss(ticker, Position(epoch, int(first)), int(last_seq), int(count), _ms_of(first_ms), _ms_of(last_ms))


def _ms_of(text: str) -> int | None:
    return int(text) if text else None


def _told_of(loss: Loss) -> tuple[str, str]:
    times = ["" if time_ms is None else str(time_ms) for time_ms in (loss.first_ms, loss.last_ms)]
    return f"{loss.first.epoch} {loss.ticker}", " ".join([str(loss.first.seq), f"{loss.last_seq} {loss.count}", *times])
