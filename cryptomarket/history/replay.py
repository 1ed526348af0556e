"""What streams may be told out of the database when the log no longer reaches back: only what is provably all of it."""

from collections.abc import Collection
from typing import NamedTuple

from cryptomarket.backplane.bus import Bus
from cryptomarket.errors import LogTooShort
from cryptomarket.history.replay_repository import ReplayRepository
from cryptomarket.history.writer import GROUP
from cryptomarket.market.position import Position
from cryptomarket.market.wire import Publication


class Told(NamedTuple):
    """Publications in order, the sequence up to which there are no others about the tickers, and the one up to which
    more can be asked for now.
    """

    publications: list[Publication]
    until_seq: int
    stored_seq: int


class Replay:
    """Replays of the epoch that the bus is in. Complete where everything up to the position that the writers have
    acknowledged is stored: nothing of it was lost before, and nothing above the asked position was removed since.
    """

    def __init__(self, repository: ReplayRepository, bus: Bus, *, group: str = GROUP) -> None:
        self._repository = repository
        self._bus = bus
        self._group = group

    async def after(self, after: Position, until_seq: int, tickers: Collection[str], *, limit: int) -> Told:
        """At most `limit` publications about these tickers after a position and up to a sequence, and up to where they
        are all of them: what lies beyond is not stored yet.

        Raises LogTooShort when that can't be proven, BusUnavailable and DatabaseUnavailable.
        """
        # In this order: what was acknowledged, or lost, when it was asked is in the database when that is looked at.
        stored_up_to = await self._bus.acknowledged(self._group)
        given_up = await self._bus.given_up(self._group)
        if (await self._bus.head()).epoch != after.epoch or given_up or stored_up_to <= after.seq:
            raise LogTooShort(str(after))
        reach = min(stored_up_to, until_seq)
        found = await self._repository.between(after, reach, tickers, limit=limit)
        if found is None:
            raise LogTooShort(str(after))
        return Told(found, found[-1].seq if len(found) == limit else reach, reach)
