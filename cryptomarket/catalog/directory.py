"""The directory of tickers: filled from the exchange, and asked again on a miss."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace

import structlog

from cryptomarket.catalog.names import Names
from cryptomarket.clock import Clock
from cryptomarket.deribit.errors import names_nothing
from cryptomarket.deribit.history import Records, Requester
from cryptomarket.deribit.mapping import feed_state_of, index_instrument
from cryptomarket.errors import ExchangeError, ExchangeFatal, ExchangeUnavailable, UnknownTicker
from cryptomarket.market.instruments import MAX_NAME_LENGTH, Instrument, folded, looks_like_a_name, spellings
from cryptomarket.market.ticks import FeedState

log = structlog.get_logger(__name__)


class Catalogue:
    """Every ticker that exists; serves `market.instruments.Directory`.

    Bounds: a name that does not exist is remembered for `absent_s` seconds, at most `max_absent` names, the oldest
    leaving first; at most `max_asking` unknown names are looked up at once, the next is refused.
    """

    def __init__(
        self,
        requester: Requester,
        *,
        clock: Clock,
        timeout_s: float = 10.0,
        absent_s: float = 60.0,
        max_absent: int = 10_000,
        max_asking: int = 64,
    ) -> None:
        self._records = Records(requester, clock=clock, timeout_s=timeout_s)
        self._clock = clock
        self._absent_s = absent_s
        self._max_absent = max_absent
        self._max_asking = max_asking
        self._names = Names()
        self._absent_until_s: dict[str, float] = {}
        # What was told of the last try, so that an exchange that is away for hours is not told of every few seconds.
        self._failure: str | None = None
        self._asking: dict[str, asyncio.Task[Instrument | None]] = {}
        self._has_news = asyncio.Event()
        self._loading = asyncio.Lock()
        # Bound: what the exchange tells of its instruments during one load.
        self._told_meanwhile: dict[str, str] = {}
        self.is_loaded = False

    def __len__(self) -> int:
        return len(self._names)

    def all(self) -> Collection[Instrument]:
        return self._names.all()

    def known(self, name: str) -> Instrument | None:
        return self._names.find(name)

    def nearest(self, name: str, count: int = 3) -> Sequence[str]:
        return self._names.nearest(name[:MAX_NAME_LENGTH], count)

    def forget(self, name: str) -> None:
        self._names.remove(name)
        self._remember_absence(folded(name))

    def look_again(self) -> None:
        """Something may be listed that is not known here: makes `run` load anew."""
        self._has_news.set()

    def restate(self, name: str, state: str) -> bool:
        """The exchange says that an instrument is in another state. False when it is not known here: `run` loads anew,
        and whoever asks for it before is not told that it does not exist because it did not a moment ago.
        """
        if self._loading.locked():
            self._told_meanwhile[name] = state
        known = self._names.exact(name)
        if known is None:
            self._absent_until_s.pop(folded(name), None)
            self._has_news.set()
            return False
        feed_state = feed_state_of(state)
        is_active = known.is_active if feed_state is None else feed_state is FeedState.LIVE
        self._names.replace(replace(known, state=state, is_active=is_active))
        return True

    async def run(self, *, refresh_s: float = 3600.0, retry_s: float = 5.0, gather_s: float = 10.0) -> None:
        """Keeps the catalogue filled: at once, soon again after a failure, anew every `refresh_s` seconds, and
        `gather_s` seconds after something new was listed, since that seldom comes alone.
        """
        try:
            while True:
                self._has_news.clear()
                loaded = await self._loads()
                try:
                    async with asyncio.timeout(refresh_s if loaded else retry_s):
                        await self._has_news.wait()
                        await asyncio.sleep(gather_s)
                except TimeoutError:
                    pass
        finally:
            for asking in self._asking.values():
                asking.cancel()

    async def _loads(self) -> bool:
        try:
            await self.load()
        except (ExchangeError, ExchangeUnavailable) as failure:
            reason = str(failure)
            if reason != self._failure:
                log.warning("catalogue not loaded; trying again and again", reason=reason)
            self._failure = reason
            return False
        self._failure = None
        return True

    async def load(self) -> None:
        """Takes all indices and instruments over from the exchange.

        Raises ExchangeError and ExchangeUnavailable; what was known then stays.
        """
        async with self._loading:
            self._told_meanwhile.clear()
            index_names = await self._records.index_names()
            instruments = await self._records.instruments()
            all_of_them = [*(index_instrument(name) for name in index_names), *instruments]
            self._names = await asyncio.to_thread(Names, all_of_them)
            self._absent_until_s.clear()
            self.is_loaded = True
        # The list may have been written before them.
        for name, state in self._told_meanwhile.items():
            self.restate(name, state)
        log.info("catalogue loaded", indices=len(index_names), instruments=len(instruments))

    async def resolve(self, name: str) -> Instrument:
        # Until all are known, what is spelled alike may be another: `btc_usdc` is an index, `BTC_USDC` a pair.
        instrument = self._names.find(name) if self.is_loaded else self._names.exact(name)
        if instrument is None and looks_like_a_name(name) and not self._is_absent(folded(name)):
            instrument = await self._look_up_once(name)
        if instrument is None:
            raise UnknownTicker(name, self.nearest(name))
        return instrument

    async def _look_up_once(self, name: str) -> Instrument | None:
        """Many who miss the same name share one look-up, which goes on when one of them leaves."""
        asking = self._asking.get(name)
        if asking is None:
            if len(self._asking) >= self._max_asking:
                raise ExchangeUnavailable("Too many unknown tickers are being looked up already.", retry_after_s=1.0)
            asking = self._asking[name] = asyncio.create_task(self._look_up(name), name=f"look up {name}")
            asking.add_done_callback(lambda done: self._looked_up(name, done))
        return await asyncio.shield(asking)

    def _looked_up(self, name: str, done: asyncio.Task[Instrument | None]) -> None:
        del self._asking[name]
        if not done.cancelled():
            done.exception()  # looked at, for those who waited may have left

    async def _look_up(self, name: str) -> Instrument | None:
        try:
            instrument = await self._find(name)
        except ExchangeError as failure:
            raise ExchangeUnavailable(f"It can't be found out now whether {name!r} exists.") from failure
        if instrument is None:
            self._remember_absence(folded(name))
        else:
            self._names.add(instrument)
        return instrument

    async def _find(self, name: str) -> Instrument | None:
        """As `Names.find` would: the exact name comes first, then an index in any case, then an instrument."""
        index_names = await self._records.index_names() if "_" in name else ()
        if name in index_names:
            return index_instrument(name)
        exact = await self._instrument(name)
        if exact is not None:
            return exact
        for index_name in index_names:
            if folded(index_name) == folded(name):
                return index_instrument(index_name)
        for spelling in spellings(name):
            found = await self._instrument(spelling) if spelling != name else None
            if found is not None:
                return found
        return None

    async def _instrument(self, spelling: str) -> Instrument | None:
        try:
            return await self._records.instrument(spelling)
        except ExchangeFatal as refusal:
            if not names_nothing(refusal):
                raise
        return None

    def _is_absent(self, key: str) -> bool:
        until_s = self._absent_until_s.get(key)
        return until_s is not None and self._clock.monotonic_s() < until_s

    def _remember_absence(self, key: str) -> None:
        self._absent_until_s.pop(key, None)
        while len(self._absent_until_s) >= self._max_absent:
            del self._absent_until_s[next(iter(self._absent_until_s))]
        self._absent_until_s[key] = self._clock.monotonic_s() + self._absent_s
