"""What the processes of a gateway tell one another of how they are: a word each second, which lapses when they die."""

import asyncio
from collections.abc import Callable, Sequence

import msgspec
import structlog

from cryptomarket.backplane.cache import Cache
from cryptomarket.errors import BusUnavailable

log = structlog.get_logger(__name__)

PREFIX = "pulse:"
BEATS_OF_A_LIFE = 4
# Those who hear the exchange may find the bus again a little later than who looks for them.
SILENT_BEATS = 3


class SessionPulse(msgspec.Struct, frozen=True):
    """One session with the exchange, on the slot that its process owns."""

    slot: int
    purpose: str
    state: str
    since_ms: int
    channels: int


class IngestPulse(msgspec.Struct, frozen=True, tag="ingest"):
    """A process that hears the exchange. `watched` are the tickers that it cares for, `held` those of them whose
    channels the exchange has granted; `unheard` are always-collected tickers that it should hear and does not.
    """

    reachable: bool
    sessions: list[SessionPulse]
    wanted: list[str]
    watched: list[str]
    held: list[str]
    unheard: list[str]
    credits: int
    gaps_open: int


class StorePulse(msgspec.Struct, frozen=True, tag="store"):
    """A process that stores what is published: how old the oldest publication in its hands is."""

    lag_ms: int


Pulse = IngestPulse | StorePulse
_decoder = msgspec.json.Decoder(Pulse)


class Pulses:
    """Tells the own ones, and knows those of all processes as of the last beat. Bound: one short value per process."""

    def __init__(self, cache: Cache, *, process: str, beat_s: float, own: Sequence[Callable[[], Pulse]] = ()) -> None:
        self._cache = cache
        self._process = process
        self._beat_s = beat_s
        self._own = own
        self._known: list[Pulse] = []
        self._silent_beats = 0
        self.on_beat: Callable[[], None] = lambda: None

    @property
    def ingests(self) -> list[IngestPulse]:
        """Those who hear the exchange."""
        return [pulse for pulse in self._known if isinstance(pulse, IngestPulse)]

    @property
    def nobody_hears(self) -> bool:
        """Whether beat after beat, on a bus that was there, no process has told that it hears the exchange."""
        return self._silent_beats >= SILENT_BEATS

    @property
    def stores(self) -> list[StorePulse]:
        """Those who store."""
        return [pulse for pulse in self._known if isinstance(pulse, StorePulse)]

    async def run(self) -> None:
        """A beat now and then, for as long as it runs; the last word of a process that ends is taken back."""
        try:
            while True:
                try:
                    await self.beat()
                except BusUnavailable as away:
                    self._silent_beats = 0
                    log.debug("the pulse could not be told", reason=away.detail)
                await asyncio.sleep(self._beat_s)
        finally:
            await asyncio.shield(self._fall_silent())

    async def beat(self) -> None:
        """Tells the own pulses, then reads all. Raises BusUnavailable."""
        for tell in self._own:
            pulse = tell()
            await self._cache.put(self._key(pulse), msgspec.json.encode(pulse), life_s=BEATS_OF_A_LIFE * self._beat_s)
        found = [await self._cache.get(key) for key in sorted(await self._cache.keys(PREFIX))]
        self._known = [_decoder.decode(text) for text in found if text is not None]
        self._silent_beats = 0 if self.ingests else self._silent_beats + 1
        self.on_beat()

    def _key(self, pulse: Pulse) -> str:
        return f"{PREFIX}{self._process}:{'ingest' if isinstance(pulse, IngestPulse) else 'store'}"

    async def _fall_silent(self) -> None:
        try:
            for tell in self._own:
                await self._cache.delete(self._key(tell()))
        except BusUnavailable:
            return  # it lapses by itself
