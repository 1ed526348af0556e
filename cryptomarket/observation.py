"""What the parts say of themselves, gathered when it is asked: readiness and operation."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cryptomarket.accounts.stream_places import StreamPlaces
from cryptomarket.backplane.bus import Bus
from cryptomarket.backplane.lease import Leases
from cryptomarket.db import Database
from cryptomarket.errors import BusUnavailable, DatabaseUnavailable
from cryptomarket.history.writer import GROUP
from cryptomarket.ingest.ownership import slot_lease_name
from cryptomarket.live.hub import Hub
from cryptomarket.operation import LogView, OperationView, PartState, SlotView, StreamsView
from cryptomarket.pulse import IngestPulse, StorePulse

JOBS_LATE_S = 30.0


@dataclass(frozen=True, slots=True)
class Observer:
    """Looks at the parts. `hears` and `stores` say what this process itself does, and is asked for by readiness;
    `ingests` and `stores_known` are all who do. `writer_lag_ms` is how far the writer may be behind and still be ready.
    `jobs_late_s` tells for how long nobody has looked whether a job is due, where this process keeps the time.
    """

    exchange: str
    hears: bool
    stores: bool
    database: Database
    bus: Bus
    leases: Leases
    ingests: Callable[[], Sequence[IngestPulse]]
    stores_known: Callable[[], Sequence[StorePulse]]
    hub: Hub | None
    places: StreamPlaces | None
    writer_lag_ms: int = 5000
    jobs_late_s: Callable[[], float] | None = None

    def reachable(self) -> bool:
        """Whether the exchange can be reached by any process that hears it."""
        return any(pulse.reachable for pulse in self.ingests())

    async def readiness(self) -> Mapping[str, PartState]:
        """Each part's own truth, of the parts that this process needs for what it does."""
        parts = {}
        if self.hears:
            parts["exchange"] = self._exchange()
        parts |= {"bus": await self._bus(), "database": await self._database()}
        if self.stores:
            parts["writer"] = self._writer()
        if self.jobs_late_s is not None:
            late_s = self.jobs_late_s()
            parts["jobs"] = PartState(ready=late_s < JOBS_LATE_S, detail=f"the clock was looked at {late_s:.1f} s ago")
        return parts

    def _writer(self) -> PartState:
        lags_ms = [pulse.lag_ms for pulse in self.stores_known()]
        if not lags_ms:
            return PartState(ready=False, detail="nobody stores")
        return PartState(ready=max(lags_ms) < self.writer_lag_ms, detail=f"{max(lags_ms)} ms behind")

    def _exchange(self) -> PartState:
        pulses = self.ingests()
        states = [session.state for pulse in pulses for session in pulse.sessions]
        unheard = sorted({ticker for pulse in pulses for ticker in pulse.unheard})
        return PartState(
            ready=self.reachable() and not unheard,
            detail=f"{states.count('ready')} of {len(states)} sessions"
            + (f", not heard: {', '.join(unheard)}" if unheard else ""),
        )

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
        """Slots, channels, log and streams. Raises BusUnavailable."""
        pulses = self.ingests()
        return OperationView(
            exchange=self.exchange,
            slots=await self._slots(pulses),
            wanted=sorted({ticker for pulse in pulses for ticker in pulse.wanted}),
            held=sorted({ticker for pulse in pulses for ticker in pulse.held}),
            credits=min((pulse.credits for pulse in pulses), default=0),
            log=LogView(head=str(await self.bus.head()), stored_up_to=await self.bus.acknowledged(GROUP)),
            streams=self._streams(),
            gaps_open=sum(pulse.gaps_open for pulse in pulses),
        )

    def _streams(self) -> StreamsView:
        if self.hub is None or self.places is None:
            return StreamsView(open=0, behind=0, slow=0)
        behind = sum(seat.is_behind for seat in self.hub.seats)
        return StreamsView(open=self.places.open, behind=behind, slow=self.hub.slow_count)

    async def _slots(self, pulses: Sequence[IngestPulse]) -> list[SlotView]:
        """Of a slot that several processes speak of, the one that has a session there says how it is."""
        holders = await self.leases.holders()
        sessions = {}
        for session in sorted(
            (each for pulse in pulses for each in pulse.sessions), key=lambda each: each.state == "ready"
        ):
            sessions[session.slot] = session
        return [
            SlotView(
                slot=slot,
                owner=holder.owner if (holder := holders.get(slot_lease_name(slot))) is not None else None,
                purpose=session.purpose,
                session_state=session.state,
                since_ms=session.since_ms,
                channels=session.channels,
            )
            for slot, session in sorted(sessions.items())
        ]
