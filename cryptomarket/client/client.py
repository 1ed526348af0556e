"""A gateway, as its caller sees it."""

import asyncio
import random as chance
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, TypeVar

import httpx2
import msgspec

from cryptomarket.client.answers import (
    Candles,
    Distance,
    Export,
    Health,
    Me,
    RangeOf,
    Readiness,
    RecordedGap,
    SavedSet,
    Statistics,
    Subscription,
    SubscriptionList,
    TickAt,
    TickerInfo,
    TickerList,
    TicksPage,
)
from cryptomarket.client.asking import Asking, Question, Sleep
from cryptomarket.client.credentials import Credentials, Token
from cryptomarket.client.events import AnyTick
from cryptomarket.client.exports import ExportFormat, download, format_of
from cryptomarket.client.refusals import understood
from cryptomarket.client.stream import MARKET, Stream
from cryptomarket.client.times import Moment, text_of
from cryptomarket.client.words import part_of, url_of
from cryptomarket.market.candles import Resolution
from cryptomarket.market.instruments import Kind
from cryptomarket.market.ticks import Source

Answer = TypeVar("Answer", bound=msgspec.Struct)

USUAL_URL = "http://127.0.0.1:8003"
_PAGE_ROWS = 1000
_TIMEOUT_S = 30.0


class Client:
    """One gateway and one caller of it. Use it as a block, which closes its connections.

    `credentials` are a KeyPair of the exchange, an ApiKey of the gateway, or an AccessToken; a token is asked for at
    the first need, and again when it has died. Questions wait up to `patience_s` seconds for a gateway that is away or
    asks for patience; then they raise Unavailable or TooMany. `http` is for whoever needs another transport. Raises
    ValueError for a URL that can be no gateway's.
    """

    def __init__(
        self,
        url: str = USUAL_URL,
        credentials: Credentials | None = None,
        *,
        patience_s: float = 30.0,
        http: httpx2.AsyncClient | None = None,
        random: Callable[[], float] = chance.random,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._http = http or httpx2.AsyncClient(base_url=url_of(url), timeout=_TIMEOUT_S)
        self._asking = Asking(self._http, credentials, patience_s=patience_s, random=random, sleep=sleep)

    async def __aenter__(self) -> Self:
        """A block."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes all connections."""
        await self.aclose()

    async def aclose(self) -> None:
        """Closes all connections."""
        await self._http.aclose()

    async def _ask(self, question: Question, kind: type[Answer]) -> Answer:
        body = await self._asking.ask(question)
        with understood(self._asking.where):
            return msgspec.json.decode(body, type=kind)

    async def _ask_tick(self, question: Question) -> TickAt:
        body = await self._asking.ask(question)
        with understood(self._asking.where):
            told = msgspec.json.decode(body, type=Distance)
            tick = msgspec.json.decode(body, type=AnyTick)
        return TickAt(tick=tick, difference_ms=told.difference_ms, age_ms=told.age_ms)

    # Who asks

    async def login(self) -> Token:
        """Logs in now instead of at the first need. Raises Unauthenticated for wrong credentials."""
        return await self._asking.login()

    async def revoke(self) -> None:
        """Ends the token, in every process of the gateway, and with it the streams that were opened with it."""
        await self._asking.ask(Question("POST", "/api/v2/auth/revoke"))
        self._asking.forget()

    async def me(self) -> Me:
        """Who the caller is."""
        return await self._ask(Question("GET", "/api/v2/me"), Me)

    # What comes

    def stream(
        self,
        *tickers: str,
        after: str | None = None,
        tells: Collection[type] = MARKET,
        timer_s: float | None = None,
        mode: Literal["all", "latest"] = "all",
        lifetime_s: float | None = None,
        silence_s: float = 30.0,
        patience_s: float | None = None,
    ) -> Stream:
        """The events of these tickers, or of the saved set when none are named, resumed whenever they break off.

        `after` is the `position` of an earlier stream, to go on there. `tells` are the kinds of events that are wanted:
        `MARKET`, `EVERYTHING`, or a set of them. `timer_s` asks for at most the latest of each ticker per beat;
        `mode="latest"` lets a reader who is behind skip to the newest. A connection on which nothing was heard for
        `silence_s` is taken for lost. See Stream for what is raised.
        """
        return Stream(
            self._asking,
            tickers,
            after=after,
            tells=tells,
            query={"timer": timer_s, "mode": None if mode == "all" else mode, "lifetime": lifetime_s},
            silence_s=silence_s,
            patience_s=patience_s,
        )

    # The saved set

    async def subscriptions(self) -> tuple[Subscription, ...]:
        """The saved set: the tickers that a stream without names follows."""
        return (await self._ask(Question("GET", "/api/v2/subscriptions"), SubscriptionList)).subscriptions

    async def subscribe(self, ticker: str) -> tuple[str, ...]:
        """Takes a ticker into the saved set, and gives the set. Raises NotFound for one that does not exist."""
        return (await self._ask(Question("PUT", f"/api/v2/subscriptions/{part_of(ticker)}"), SavedSet)).tickers

    async def cancel(self, ticker: str) -> tuple[str, ...]:
        """Takes a ticker out of the saved set, and gives the set. Raises NotFound for one that is not in it."""
        return (await self._ask(Question("DELETE", f"/api/v2/subscriptions/{part_of(ticker)}"), SavedSet)).tickers

    async def cancel_all(self) -> tuple[str, ...]:
        """Empties the saved set, and gives what was in it."""
        return (await self._ask(Question("DELETE", "/api/v2/subscriptions"), SavedSet)).cancelled

    # What there was

    async def pages(
        self,
        ticker: str,
        start: Moment | None = None,
        end: Moment | None = None,
        *,
        order: Literal["asc", "desc"] = "asc",
        source: Source | None = None,
        rows: int = _PAGE_ROWS,
    ) -> AsyncGenerator[TicksPage]:
        """Stored ticks of [start, end), page by page, each with what is known to be missing. All pages show one state
        of the store.
        """
        query: dict[str, object] = {
            "start": text_of(start), "end": text_of(end), "order": order, "source": source, "limit": rows
        }  # fmt: skip
        while True:
            page = await self._ask(Question("GET", _ticks(ticker), query), TicksPage)
            yield page
            if page.next_cursor is None:
                return
            query = {"cursor": page.next_cursor, "limit": rows}

    async def ticks(
        self,
        ticker: str,
        start: Moment | None = None,
        end: Moment | None = None,
        *,
        order: Literal["asc", "desc"] = "asc",
        limit: int | None = None,
    ) -> AsyncIterator[AnyTick]:
        """The stored ticks of [start, end), at most `limit`."""
        left = limit
        async for page in self.pages(ticker, start, end, order=order, rows=min(_PAGE_ROWS, limit or _PAGE_ROWS)):
            for tick in page.ticks[:left]:
                yield tick
            if left is not None:
                left -= len(page.ticks)
                if left <= 0:
                    return

    async def latest(self, ticker: str) -> TickAt:
        """The newest tick, with its `age_ms`. Raises NotFound when nothing of it was ever heard."""
        return await self._ask_tick(Question("GET", f"{_ticks(ticker)}/latest"))

    async def at(self, ticker: str, moment: Moment, *, max_difference_ms: int | None = None) -> TickAt:
        """The tick closest to a moment, with its `difference_ms`. Raises NotFound when there is none so close."""
        query = {"time": text_of(moment), "max_difference_ms": max_difference_ms}
        return await self._ask_tick(Question("GET", f"{_ticks(ticker)}/at", query))

    async def statistics(self, ticker: str, start: Moment | None = None, end: Moment | None = None) -> Statistics:
        """Count, lowest, highest, average, first and last price of [start, end)."""
        return await self._ask(Question("GET", f"{_ticks(ticker)}/stats", _range(start, end)), Statistics)

    async def candles(
        self,
        ticker: str,
        resolution: Resolution | str = Resolution.MINUTE_1,
        start: Moment | None = None,
        end: Moment | None = None,
    ) -> Candles:
        """The candles that overlap [start, end), whole, oldest first; the last 1000 without `start`."""
        query = {"resolution": Resolution(resolution).value, **_range(start, end)}
        return await self._ask(Question("GET", f"/api/v2/candles/{part_of(ticker)}", query), Candles)

    async def gaps(
        self, ticker: str, start: Moment | None = None, end: Moment | None = None
    ) -> tuple[RecordedGap, ...]:
        """The intervals of [start, end) in which nothing was heard, at most 1000."""
        return (await self._ask(Question("GET", f"/api/v2/gaps/{part_of(ticker)}", _range(start, end)), RangeOf)).data

    async def export(
        self,
        ticker: str,
        to: Path | str,
        start: Moment | None = None,
        end: Moment | None = None,
        *,
        form: ExportFormat | str | None = None,
        fields: Collection[str] = (),
        source: Source | None = None,
    ) -> Export:
        """Writes all ticks of [start, end) into a file, of the format that its name ends with unless `form` says
        another. The file is there only when it came whole, and is what the gateway says it has sent.

        Raises BrokenDownload, ValueError for a name that ends with no format, and OSError where no file can be.
        """
        path = Path(to)
        query: dict[str, object] = {
            "format": format_of(path, form).value,
            "fields": ",".join(fields) or None,
            "source": source,
            **_range(start, end),
        }
        return await download(self._asking, Question("GET", _ticks(ticker), query), path)

    async def tickers(
        self, *, kind: Kind | str | None = None, currency: str | None = None, active: bool | None = None
    ) -> tuple[TickerInfo, ...]:
        """What can be subscribed."""
        query: dict[str, object] = {
            "kind": None if kind is None else Kind(kind).value,
            "currency": currency,
            "active": None if active is None else str(active).lower(),
        }
        return (await self._ask(Question("GET", "/api/v2/tickers", query), TickerList)).data

    # How the gateway is

    async def health(self) -> Health:
        """Whether it is alive, and which exchange is behind it."""
        return await self._ask(Question("GET", "/health", is_open=True), Health)

    async def readiness(self) -> Readiness:
        """Whether it can do its work, part by part. That it can't is an answer, and nothing is raised for it."""
        return await self._ask(Question("GET", "/ready", is_open=True, also=503), Readiness)


def _ticks(ticker: str) -> str:
    return f"/api/v2/ticks/{part_of(ticker)}"


def _range(start: Moment | None, end: Moment | None) -> dict[str, object]:
    return {"start": text_of(start), "end": text_of(end)}
