"""What the parts say of themselves, gathered when it is asked: readiness and operation."""

from collections.abc import Mapping
from dataclasses import dataclass

from cryptomarket.accounts.stream_places import StreamPlaces
from cryptomarket.backplane.bus import Bus
from cryptomarket.backplane.lease import Leases
from cryptomarket.db import Database
from cryptomarket.deribit.pool import Pool
from cryptomarket.errors import BusUnavailable, DatabaseUnavailable
from cryptomarket.history.writer import Writer
from cryptomarket.ingest.feed import Feed
from cryptomarket.ingest.holding import Holding
from cryptomarket.ingest.ownership import slot_lease_name
from cryptomarket.live.hub import Hub
from cryptomarket.operation import LogView, OperationView, PartState, SlotView, StreamsView


@dataclass(frozen=True, slots=True)
class Observer:
    """Looks at the parts of this process. `writer_lag_ms` is how far the writer may be behind and still be ready."""

    exchange: str
    database: Database
    bus: Bus
    leases: Leases
    pool: Pool
    feed: Feed
    holding: Holding
    hub: Hub
    writer: Writer
    places: StreamPlaces
    writer_lag_ms: int = 5000

    def reachable(self) -> bool:
        """Whether the exchange can be reached."""
        return self.pool.reachable

    async def readiness(self) -> Mapping[str, PartState]:
        """Each part's own truth."""
        states = self.pool.states()
        ready = sum(state.state.value == "ready" for state in states)
        unheard = self.holding.unheard()
        return {
            "exchange": PartState(
                ready=self.pool.reachable and not unheard,
                detail=f"{ready} of {len(states)} sessions" + (f", not heard: {', '.join(unheard)}" if unheard else ""),
            ),
            "bus": await self._bus(),
            "database": await self._database(),
            "writer": PartState(
                ready=self.writer.lag_ms < self.writer_lag_ms, detail=f"{self.writer.lag_ms} ms behind"
            ),
        }

    async def _bus(self) -> PartState:
        try:
            await self.bus.ping()
        except BusUnavailable as away:
            return PartState(ready=False, detail=away.detail)
        return PartState(ready=True, detail="answers")

    async def _database(self) -> PartState:
        try:
            await self.database.ping()
        except DatabaseUnavailable as away:
            return PartState(ready=False, detail=away.detail)
        return PartState(ready=True, detail="answers")

    async def operation(self) -> OperationView:
        """Slots, channels, log and streams."""
        states = self.pool.states()
        return OperationView(
            exchange=self.exchange,
            slots=await self._slots(),
            wanted=sorted(self.holding.wanted),
            held=sorted(self.holding.held),
            credits=states[0].credits if states else 0,
            log=LogView(head=str(await self.bus.head()), stored_up_to=self.writer.stored_up_to),
            streams=StreamsView(
                open=self.places.open,
                behind=sum(seat.mailbox.first_waiting() is not None for seat in self.hub.seats),
                slow=self.hub.slow_count,
            ),
            gaps_open=sum(watch.cause is not None for watch in self.feed.watches.values()),
        )

    async def _slots(self) -> list[SlotView]:
        holders = await self.leases.holders()
        return [
            SlotView(
                slot=state.slot,
                owner=holder.owner if (holder := holders.get(slot_lease_name(state.slot))) is not None else None,
                purpose=state.purpose.value,
                session_state=state.state.value,
                since_ms=state.since_ms,
                channels=state.channels,
            )
            for state in self.pool.states()
        ]
