"""The side of the database: what is published is kept."""

import asyncio
from dataclasses import dataclass

from cryptomarket.backplane.bus import Bus
from cryptomarket.clock import Clock
from cryptomarket.history.repository import Repository
from cryptomarket.history.writer import Writer
from cryptomarket.pulse import StorePulse
from cryptomarket.roles.side import Side, Tasks
from cryptomarket.settings import Settings


@dataclass(frozen=True, slots=True)
class Store:
    """The writer, and what it runs."""

    writer: Writer
    side: Side

    def pulse(self) -> StorePulse:
        """How it is, now."""
        return StorePulse(lag_ms=self.writer.lag_ms)


def build_store(settings: Settings, bus: Bus, rows: Repository, clock: Clock, *, process: str) -> Store:
    """One consumer of the writers' group."""
    writer = Writer(
        bus,
        rows,
        consumer=process,
        flush_rows=settings.writer_flush_rows,
        flush_ms=settings.writer_flush_ms,
        backoff_cap_s=settings.writer_backoff_cap_s,
        clock=clock,
    )

    async def farewell(listening: Tasks) -> None:
        flushing = asyncio.create_task(writer.flush())
        try:
            await asyncio.wait((flushing, listening["writer"]), return_when=asyncio.FIRST_COMPLETED)
        finally:
            flushing.cancel()
            await asyncio.gather(flushing, return_exceptions=True)

    return Store(writer, Side(listeners={"writer": writer.run}, farewell=farewell))
