"""What was stored: ranges, single ticks, what prices have made of a time, gaps."""

from typing import Annotated, Literal, cast

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from cryptomarket.accounts.access import person
from cryptomarket.history.cursors import EXAMPLE, Cursor, Order
from cryptomarket.history.parts import HistoryParts
from cryptomarket.history.questions import MAX_GAPS, MAX_ROWS, TicksQuestion
from cryptomarket.history.schemas import CandlesAnswer, GapsAnswer, Latest, Stats, TickAt, TicksPage
from cryptomarket.history.timestamps import END_OF_TIME_MS, time_ms
from cryptomarket.market.candles import Resolution
from cryptomarket.market.ticks import Source
from cryptomarket.problems import problem_responses

router = APIRouter(prefix="/api/v2", tags=["history"], dependencies=[Depends(person)])


async def parts(request: Request) -> HistoryParts:
    return cast("HistoryParts", request.state.history)


Parts = Annotated[HistoryParts, Depends(parts)]
Name = Annotated[
    str, Path(description="An index (`btc_usd`) or an instrument (`BTC-PERPETUAL`), in any case", examples=["btc_usd"])
]
Start = Annotated[
    str | None,
    Query(
        description="Where the range begins, inclusive: ISO 8601 (UTC when it names no zone), or Unix time in seconds, "
        "milliseconds or microseconds, told apart by size. From the first stored row when absent.",
        examples=["2026-09-23T12:05:13Z"],
    ),
]
End = Annotated[
    str | None,
    Query(
        description="Where the range ends, exclusive; written like `start`. Now when absent.",
        examples=["1790165120000"],
    ),
]


NO_TIME = (
    "Malformed request",
    "start is a time: ISO 8601, such as 2026-01-31T12:00:00Z, or an integer of Unix seconds.",
    "start",
)
NO_TIME_AT = ("Malformed request", NO_TIME[1].replace("start", "time"), "time")
NO_RANGE = ("Impossible request", "start must lie before end: a range is [start, end).", "start")


def exact(body: bytes) -> Response:
    """JSON that is written already, digit for digit."""
    return Response(body, media_type="application/json")


def _time(text: str | None, field: str) -> int | None:
    return None if text is None else time_ms(text, field=field)


@router.get(
    "/ticks/{ticker}",
    operation_id="list_ticks",
    summary="Stored ticks of a range, page by page",
    description="Each row is the event as it was streamed. Pages of one question show one state of the store: what was "
    "committed before the first page is told exactly once, and what came later is not told. With `cursor`, everything "
    "but `limit` and `fields` is taken from the question it belongs to.",
    response_model=TicksPage,
    responses=problem_responses(400, 401, 403, 404, 422, 503, shown={400: NO_TIME, 422: NO_RANGE}),
)
async def list_ticks(
    *,
    history: Parts,
    ticker: Name,
    start: Start = None,
    end: End = None,
    limit: Annotated[int, Query(description="Rows per page", examples=[100], ge=1, le=MAX_ROWS)] = 1000,
    cursor: Annotated[str | None, Query(description="`next_cursor` of the page before", examples=[EXAMPLE])] = None,
    order: Annotated[Order | None, Query(description="`asc` when absent: oldest first")] = None,
    fields: Annotated[
        str | None,
        Query(description="Names of fields, separated by commas; all when absent", examples=["timestamp,price"]),
    ] = None,
    source: Annotated[Source | None, Query(description="Rows of this source alone")] = None,
    format: Annotated[Literal["json"], Query(description="How the answer is written")] = "json",  # noqa: A002 - its name
) -> Response:
    question = TicksQuestion(
        ticker=(await history.directory.resolve(ticker)).name,
        start_ms=_time(start, "start"),
        end_ms=_time(end, "end"),
        order=order,
        source=source,
        cursor=None if cursor is None else Cursor.parse(cursor),
        limit=limit,
        fields=None if fields is None else [name.strip() for name in fields.split(",")],
    )
    return exact(await history.history.ticks(question))


@router.get(
    "/ticks/{ticker}/latest",
    operation_id="get_latest_tick",
    summary="The newest tick, and how old it is",
    description="404 when the ticker is unknown, and when nothing of it was ever heard.",
    response_model=Latest,
    responses=problem_responses(401, 403, 404, 503),
)
async def get_latest_tick(history: Parts, ticker: Name) -> Response:
    return exact(await history.history.latest((await history.directory.resolve(ticker)).name))


@router.get(
    "/ticks/{ticker}/at",
    operation_id="get_tick_at",
    summary="The tick closest to a moment",
    description="By the exchange's time; of two as close the earlier one. 404 when there is none, or none so close.",
    response_model=TickAt,
    responses=problem_responses(
        400,
        401,
        403,
        404,
        422,
        503,
        shown={400: NO_TIME_AT, 422: ("Impossible request", "time lies in the future.", "time")},
    ),
)
async def get_tick_at(
    history: Parts,
    ticker: Name,
    time: Annotated[
        str, Query(description="The moment, written like `start` of a range", examples=["2026-09-23T12:05:13.481Z"])
    ],
    max_difference_ms: Annotated[
        int | None, Query(description="No tick further away is told", examples=[60_000], ge=0, le=END_OF_TIME_MS)
    ] = None,
) -> Response:
    moment_ms = time_ms(time, field="time")
    name = (await history.directory.resolve(ticker)).name
    return exact(await history.history.at(name, moment_ms, max_difference_ms=max_difference_ms))


@router.get(
    "/ticks/{ticker}/stats",
    operation_id="get_tick_stats",
    summary="Count, lowest, highest, average, first and last price of a range",
    description="Of the ticks that have a price. All are exact but the average, which has 28 significant digits.",
    response_model=Stats,
    responses=problem_responses(400, 401, 403, 404, 422, 503, shown={400: NO_TIME, 422: NO_RANGE}),
)
async def get_tick_stats(history: Parts, ticker: Name, start: Start = None, end: End = None) -> Response:
    start_ms, end_ms = _time(start, "start"), _time(end, "end")
    name = (await history.directory.resolve(ticker)).name
    return exact(await history.figures.stats(name, start_ms, end_ms))


@router.get(
    "/candles/{ticker}",
    operation_id="list_candles",
    summary="Candles of a range, from the stored ticks",
    description="Every candle that overlaps the range, whole, oldest first; where there was no price there is no "
    "candle. Days begin at midnight UTC. `complete` and `gaps` are about the whole candles, up to now. Without "
    "`start`, the last 1000. At most 10,000.",
    response_model=CandlesAnswer,
    responses=problem_responses(400, 401, 403, 404, 422, 503, shown={400: NO_TIME, 422: NO_RANGE}),
)
async def list_candles(
    history: Parts,
    ticker: Name,
    resolution: Annotated[
        Resolution, Query(description="Length of a candle in minutes; `1D` is a day", examples=[Resolution.MINUTE_1])
    ],
    start: Start = None,
    end: End = None,
) -> Response:
    start_ms, end_ms = _time(start, "start"), _time(end, "end")
    name = (await history.directory.resolve(ticker)).name
    return exact(await history.figures.candles(name, resolution, start_ms, end_ms))


@router.get(
    "/gaps/{ticker}",
    operation_id="list_gaps",
    summary="Recorded gaps of a range",
    description="Every interval in which nothing was heard, that overlaps the range; in exchange time.",
    response_model=GapsAnswer,
    responses=problem_responses(400, 401, 403, 404, 422, 503, shown={400: NO_TIME, 422: NO_RANGE}),
)
async def list_gaps(
    history: Parts,
    ticker: Name,
    start: Start = None,
    end: End = None,
    limit: Annotated[int, Query(description="At most so many", examples=[100], ge=1, le=MAX_ROWS)] = MAX_GAPS,
) -> GapsAnswer:
    name = (await history.directory.resolve(ticker)).name
    answer = await history.history.gaps(name, _time(start, "start"), _time(end, "end"), limit=limit)
    return GapsAnswer.model_validate(answer)
