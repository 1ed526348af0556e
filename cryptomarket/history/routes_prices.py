"""The paths of two sibling services, in exactly their shapes, for whoever used those before."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, NamedTuple

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response

from cryptomarket.errors import Impossible, NotFound
from cryptomarket.history.lines import Line, item_line, price_line
from cryptomarket.history.look_repository import Believed
from cryptomarket.history.questions import MAX_ROWS
from cryptomarket.history.reach import range_of
from cryptomarket.history.routes import NO_RANGE, Parts, exact
from cryptomarket.history.rows import Row
from cryptomarket.history.schemas_prices import (
    Item,
    Items,
    Price,
    Prices,
    PricesBetween,
)
from cryptomarket.history.timestamps import DAY_MS, END_OF_TIME_MS, day_ms
from cryptomarket.market.instruments import Kind
from cryptomarket.market.wire import encode
from cryptomarket.problems import problem_responses

MAX_PRICES = 1000
MAX_SKIP = 10_000
NO_NUMBER = ("Malformed request", "start can't be read: it must be a whole number, such as 1768768182422.", "start")
NO_DATE = ("Malformed request", "start_date is written YYYY-MM-DD, in UTC, such as 2026-01-31.", "start_date")
NOT_OPEN = (
    "Forbidden",
    "Without a token there are btc_usd, eth_usd. GET /api/v2/ticks/{ticker} tells users of all.",
    "ticker",
)
TOO_MUCH = (
    "Impossible request",
    "The range has more than 10000 rows: ask for less, or for pages of GET /api/v2/ticks/btc_usd.",
    None,
)
OFTEN = ("Too many requests", "An address may ask 120 times a minute here.", None)


async def admitted(request: Request, history: Parts) -> None:
    """Counts a question of an address. Raises TooMany, and NotFound where these paths are closed."""
    await history.public.admit(request.client.host if request.client is not None else "unknown")


router = APIRouter(tags=["siblings"], dependencies=[Depends(admitted)])


class Open(NamedTuple):
    """A ticker that anybody may ask for."""

    name: str
    kind: Kind


async def open_ticker(
    history: Parts,
    ticker: Annotated[str, Query(description="One that is always collected, in any case", examples=["btc_usd"])],
) -> Open:
    """The exchange's name of a ticker that anybody may ask for. Raises UnknownTicker and Forbidden."""
    instrument = await history.listing.resolve(ticker)
    history.public.check(instrument.name)
    return Open(instrument.name, instrument.kind)


Ticker = Annotated[Open, Depends(open_ticker)]
Limit = Annotated[int, Query(description="At most so many", examples=[100], ge=1, le=MAX_PRICES)]
Skip = Annotated[int, Query(description="Leaves out so many of the newest", examples=[100], ge=0, le=MAX_SKIP)]
Date = Annotated[str | None, Query(description="A day, `YYYY-MM-DD`, in UTC", examples=["2026-01-31"])]


def _created_at(row: Row) -> str:
    moment = datetime.fromtimestamp(row.received_us // 1_000_000, UTC).replace(microsecond=row.received_us % 1_000_000)
    return moment.isoformat(timespec="microseconds")


def price_of(row: Row) -> dict[str, object]:
    """A row as the first sibling has it: the price a number, the time in milliseconds."""
    return {
        "id": row.id,
        "ticker": row.ticker,
        "price": row.price,
        "timestamp": row.timestamp_ms,
        "created_at": _created_at(row),
    }


def item_of(row: Row) -> dict[str, object]:
    """A row as the second sibling has it: the price a text, the time in microseconds."""
    price = None if row.price is None else f"{row.price:f}"
    return price_of(row) | {"price": price, "timestamp": row.timestamp_ms * 1000}


def prices_of(rows: list[Row]) -> str:
    """Rows as the first sibling has them, with commas between."""
    return encode([price_of(row) for row in rows])[1:-1].decode()


def items_of(rows: list[Row]) -> str:
    """Rows as the second sibling has them, with commas between."""
    return encode([item_of(row) for row in rows])[1:-1].decode()


class Sibling(NamedTuple):
    """How one of them writes rows: by the database, or by us."""

    line: Callable[[str, Kind], Line]
    write: Callable[[list[Row]], str]


_FIRST = Sibling(price_line, prices_of)
_SECOND = Sibling(item_line, items_of)


async def _newest(history: Parts, of: Open, sibling: Sibling, *, limit: int, skip: int = 0) -> Believed:
    line = sibling.line(*of)
    return await history.hot.newest(of.name, line, sibling.write, limit=limit, skip=skip)


async def _latest(history: Parts, of: Open, sibling: Sibling) -> bytes:
    found = await _newest(history, of, sibling, limit=1)
    if not found.rows:
        raise NotFound(f"Nothing of {of.name} is known yet.", field="ticker")
    return found.text.encode()


async def _between(history: Parts, of: Open, sibling: Sibling, start_ms: int, end_ms: int) -> Believed:
    line = sibling.line(*of)
    found = await history.hot.believed(of.name, start_ms, end_ms, line, sibling.write, limit=MAX_ROWS)
    if found.more:
        raise Impossible(
            f"The range has more than {MAX_ROWS} rows: ask for less, or for pages of GET /api/v2/ticks/{of.name}."
        )
    return found


def _listed(found: Believed) -> msgspec.Raw:
    return msgspec.Raw(f"[{found.text}]".encode())


@router.get(
    "/prices",
    operation_id="list_prices",
    summary="The newest prices of a ticker",
    description="Newest first.",
    response_model=Prices,
    responses=problem_responses(400, 403, 404, 422, 429, 503, shown={403: NOT_OPEN, 429: OFTEN}),
)
async def list_prices(history: Parts, ticker: Ticker, limit: Limit = MAX_PRICES, skip: Skip = 0) -> Response:
    found = await _newest(history, ticker, _FIRST, limit=limit, skip=skip)
    return exact(encode({"data": _listed(found), "count": found.rows, "ticker": ticker.name}))


@router.get(
    "/prices/latest",
    operation_id="get_latest_price",
    summary="The newest price of a ticker",
    description="One row, as `/prices` has it.",
    response_model=Price,
    responses=problem_responses(400, 403, 404, 429, 503, shown={403: NOT_OPEN, 429: OFTEN}),
)
async def get_latest_price(history: Parts, ticker: Ticker) -> Response:
    return exact(await _latest(history, ticker, _FIRST))


@router.get(
    "/prices/filter",
    operation_id="filter_prices",
    summary="The prices of a ticker between two times",
    description="Of [start, end), in Unix milliseconds, oldest first. 422 for more than 10,000.",
    response_model=PricesBetween,
    responses=problem_responses(
        400, 403, 404, 422, 429, 503, shown={400: NO_NUMBER, 403: NOT_OPEN, 422: NO_RANGE, 429: OFTEN}
    ),
)
async def filter_prices(
    history: Parts,
    ticker: Ticker,
    start: Annotated[
        int, Query(description="Inclusive, in milliseconds", examples=[1768768182422], ge=0, le=END_OF_TIME_MS)
    ],
    end: Annotated[
        int | None,
        Query(
            description="Exclusive, in milliseconds; now when absent", examples=[1768768282422], ge=0, le=END_OF_TIME_MS
        ),
    ] = None,
) -> Response:
    start_ms, end_ms = range_of(start, end, first_ms=None, now_ms=history.clock.wall_ms())
    found = await _between(history, ticker, _FIRST, start_ms, end_ms)
    told = {"data": _listed(found), "count": found.rows, "ticker": ticker.name, "start": start_ms, "end": end_ms}
    return exact(encode(told))


@router.get(
    "/api/v1/deribit/",
    operation_id="list_items",
    summary="The newest prices of a ticker, as texts",
    description="The newest 1000, newest first.",
    response_model=Items,
    responses=problem_responses(400, 403, 404, 429, 503, shown={403: NOT_OPEN, 429: OFTEN}),
)
async def list_items(history: Parts, ticker: Ticker) -> Response:
    found = await _newest(history, ticker, _SECOND, limit=MAX_PRICES)
    return exact(encode({"items": _listed(found)}))


@router.get(
    "/api/v1/deribit/latest",
    operation_id="get_latest_item",
    summary="The newest price of a ticker, as a text",
    description="One row, as `/api/v1/deribit/` has it.",
    response_model=Item,
    responses=problem_responses(400, 403, 404, 429, 503, shown={403: NOT_OPEN, 429: OFTEN}),
)
async def get_latest_item(history: Parts, ticker: Ticker) -> Response:
    return exact(await _latest(history, ticker, _SECOND))


@router.get(
    "/api/v1/deribit/filter",
    operation_id="filter_items",
    summary="The prices of a ticker of some days, as texts",
    description="Both days are included, whole, in UTC; oldest first. 422 for more than 10,000, for a first day "
    "after today, and for one after the last.",
    response_model=Items,
    responses=problem_responses(
        400, 403, 404, 422, 429, 503, shown={400: NO_DATE, 403: NOT_OPEN, 422: TOO_MUCH, 429: OFTEN}
    ),
)
async def filter_items(history: Parts, ticker: Ticker, start_date: Date = None, end_date: Date = None) -> Response:
    start_ms = 0 if start_date is None else day_ms(start_date, field="start_date")
    now_ms = history.clock.wall_ms()
    end_ms = now_ms if end_date is None else day_ms(end_date, field="end_date") + DAY_MS
    if start_ms > now_ms:
        raise Impossible("start_date lies in the future.", field="start_date")
    # At midnight nothing of today has passed, which is no mistake of anybody's.
    if end_date is not None and start_ms >= end_ms:
        raise Impossible("start_date lies after end_date. Both are written YYYY-MM-DD, in UTC.", field="start_date")
    return exact(encode({"items": _listed(await _between(history, ticker, _SECOND, start_ms, end_ms))}))
