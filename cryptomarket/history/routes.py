"""What was stored: ranges, single ticks, what prices have made of a time, gaps."""

from typing import Annotated, Any, NamedTuple, cast

from asgi_correlation_id import correlation_id
from fastapi import APIRouter, Depends, Path, Query, Request, Response

from cryptomarket.accounts.access import Person, person
from cryptomarket.errors import Impossible
from cryptomarket.history.answers import Answer
from cryptomarket.history.cursors import EXAMPLE, Cursor, Order
from cryptomarket.history.downloads import CLOSED_HEADERS, DESCRIPTION, RESPONSES, Download, closed_headers
from cryptomarket.history.exports import NO_EXPORT, Asker
from cryptomarket.history.formats import Format, format_of
from cryptomarket.history.parts import HistoryParts
from cryptomarket.history.questions import MAX_GAPS, MAX_ROWS, TicksQuestion
from cryptomarket.history.schemas import CandlesAnswer, ExportAnswer, GapsAnswer, Latest, Stats, TickAt, TicksPage
from cryptomarket.history.timestamps import END_OF_TIME_MS, moment_ms, time_ms
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
_START = (
    "Where the range begins, inclusive: ISO 8601 (UTC when it names no zone), or Unix time in seconds, milliseconds or "
    "microseconds, told apart by size. "
)
Start = Annotated[
    str | None,
    Query(description=f"{_START}From the first stored row when absent.", examples=["2026-09-23T12:05:13Z"]),
]
StartOfCandles = Annotated[
    str | None, Query(description=f"{_START}The last 1000 candles when absent.", examples=["2026-09-23T12:05:13Z"])
]
End = Annotated[
    str | None,
    Query(
        description="Where the range ends, exclusive; written like `start`. Now when absent.",
        examples=["1790165120000"],
    ),
]


ROWS_UNLESS_SAID = 1000
UNCHANGED: dict[int | str, dict[str, Any]] = {
    200: {"headers": CLOSED_HEADERS},
    304: {
        "description": "The closed range that `If-None-Match` names has not changed, as none does",
        "headers": CLOSED_HEADERS,
    },
}
NO_TIME = (
    "Malformed request",
    "start is a time: ISO 8601, such as 2026-01-31T12:00:00Z, or an integer of Unix seconds.",
    "start",
)
NO_TIME_AT = ("Malformed request", NO_TIME[1].replace("start", "time"), "time")
NO_RANGE = ("Impossible request", "start must lie before end: a range is [start, end).", "start")


def exact(body: bytes, **headers: str) -> Response:
    """JSON that is written already, digit for digit."""
    return Response(body, media_type="application/json", headers=headers)


async def between(start: Start = None, end: End = None) -> tuple[int | None, int | None]:
    """Start and end in milliseconds, where they were said. Raises Malformed and Impossible."""
    return _read(start, end)


async def between_candles(start: StartOfCandles = None, end: End = None) -> tuple[int | None, int | None]:
    """The same, where an absent start means something else."""
    return _read(start, end)


def _read(start: str | None, end: str | None) -> tuple[int | None, int | None]:
    return (
        None if start is None else time_ms(start, field="start"),
        None if end is None else time_ms(end, field="end"),
    )


async def none_match(request: Request) -> frozenset[str]:
    """The validators of what the caller has already (RFC 9110, 13.1.2)."""
    named = ",".join(request.headers.getlist("if-none-match"))
    return frozenset(tag.strip().removeprefix("W/") for tag in named.split(","))


NoneMatch = Annotated[frozenset[str], Depends(none_match)]


class Wish(NamedTuple):
    """How an answer is wanted, what of it the caller has already, and whether its content is wanted at all."""

    form: Format
    none_match: frozenset[str]
    is_bodiless: bool

    def has(self, etag: str) -> bool:
        """Whether the caller has it already."""
        return etag in self.none_match or "*" in self.none_match


async def wish(
    request: Request,
    format: Annotated[  # noqa: A002 - its name
        Format | None, Query(description="How the answer is written; what `Accept` wants when absent")
    ] = None,
) -> Wish:
    """What is wanted, by name or by header."""
    form = format or format_of(",".join(request.headers.getlist("accept")))
    return Wish(form, await none_match(request), "http.response.bodiless" in (request.scope.get("extensions") or {}))


async def asker(caller: Person) -> Asker:
    """Whose request it is."""
    return Asker(caller.user_id, correlation_id.get() or "")


Between = Annotated[tuple[int | None, int | None], Depends(between)]
BetweenCandles = Annotated[tuple[int | None, int | None], Depends(between_candles)]


def of_range(answer: Answer, none_match: frozenset[str]) -> Response:
    """An answer about a range. What is closed may be kept for ever by him who asked, and is not sent twice."""
    if not answer.is_closed:
        return exact(answer.body, Vary="Accept")
    etag = answer.etag
    headers = closed_headers(etag)
    if etag in none_match or "*" in none_match:
        return Response(status_code=304, headers=headers)
    return exact(answer.body, **headers)


@router.get(
    "/ticks/{ticker}",
    operation_id="list_ticks",
    summary="Stored ticks of a range, page by page or all at once",
    description=DESCRIPTION,
    response_model=TicksPage,
    responses=UNCHANGED
    | RESPONSES
    | problem_responses(
        400,
        401,
        403,
        404,
        422,
        429,
        503,
        shown={
            400: NO_TIME,
            422: NO_RANGE,
            429: ("Too many requests", "You have 4 exports under way here, which is a user's limit.", None),
        },
    ),
)
async def list_ticks(
    *,
    history: Parts,
    asker: Annotated[Asker, Depends(asker)],
    ticker: Name,
    between: Between,
    limit: Annotated[
        int | None, Query(description="Rows per page; 1000 when absent", examples=[100], ge=1, le=MAX_ROWS)
    ] = None,
    cursor: Annotated[str | None, Query(description="`next_cursor` of the page before", examples=[EXAMPLE])] = None,
    order: Annotated[Order | None, Query(description="`asc` when absent: oldest first")] = None,
    fields: Annotated[
        str | None,
        Query(description="Names of fields, separated by commas; all when absent", examples=["timestamp,price"]),
    ] = None,
    source: Annotated[Source | None, Query(description="Rows of this source alone")] = None,
    wish: Annotated[Wish, Depends(wish)],
) -> Response:
    instrument = await history.listing.resolve(ticker)
    question = TicksQuestion(
        ticker=instrument.name,
        kind=instrument.kind,
        start_ms=between[0],
        end_ms=between[1],
        order=order,
        source=source,
        cursor=None if cursor is None else Cursor.parse(cursor),
        limit=limit or ROWS_UNLESS_SAID,
        fields=None if fields is None else [name.strip() for name in fields.split(",")],
    )
    form = wish.form
    if form is Format.JSON:
        return of_range(await history.hot.ticks(question), wish.none_match)
    for name, said in (("limit", limit), ("cursor", cursor)):
        if said is not None:
            raise Impossible(f"{name} is for pages; {form} tells the whole range at once.", field=name)
    export = await history.exports.begin(
        asker, question, instrument.kind, form, is_read=not wish.is_bodiless, has=wish.has
    )
    if export.etag is not None and wish.has(export.etag):
        export.close()
        return Response(status_code=304, headers=closed_headers(f"W/{export.etag}"))
    return Download(export, form, is_bodiless=wish.is_bodiless)


@router.get(
    "/exports/{request_id}",
    operation_id="get_export",
    summary="What became of a bulk answer",
    description="For an hour after its end: how many rows it has, the SHA-256 of its bytes before the trailer (of CSV: "
    "of all), and whether everything of the range was heard. 404 while it is on its way, when its reader has left, "
    "and for another user's.",
    response_model=ExportAnswer,
    responses=problem_responses(
        401,
        403,
        404,
        503,
        shown={404: ("Not found", NO_EXPORT, "request_id")},
    ),
)
async def get_export(
    history: Parts,
    caller: Person,
    request_id: Annotated[
        str, Path(description="`X-Request-ID` of the export", examples=["6f9619ff-8b86-4d01-b42d-00cf4fc964ff"])
    ],
) -> Response:
    return exact(await history.exports.facts(Asker(caller.user_id, request_id[:64])))


@router.get(
    "/ticks/{ticker}/latest",
    operation_id="get_latest_tick",
    summary="The newest tick, and how old it is",
    description="404 when the ticker is unknown, and when nothing of it was ever heard.",
    response_model=Latest,
    responses=problem_responses(401, 403, 404, 503),
)
async def get_latest_tick(history: Parts, ticker: Name) -> Response:
    return exact(await history.hot.latest((await history.listing.resolve(ticker)).name))


@router.get(
    "/ticks/{ticker}/at",
    operation_id="get_tick_at",
    summary="The tick closest to a moment",
    description="By the exchange's time; of two as close the earlier one, and of one millisecond the last. 404 when "
    "there is none, or none so close.",
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
    closest_to_ms = moment_ms(time, field="time")
    name = (await history.listing.resolve(ticker)).name
    return exact(await history.hot.at(name, closest_to_ms, max_difference_ms=max_difference_ms))


@router.get(
    "/ticks/{ticker}/stats",
    operation_id="get_tick_stats",
    summary="Count, lowest, highest, average, first and last price of a range",
    description="Of the ticks that have a price. All are exact but the average, which has 28 significant digits.",
    response_model=Stats,
    responses=UNCHANGED | problem_responses(400, 401, 403, 404, 422, 503, shown={400: NO_TIME, 422: NO_RANGE}),
)
async def get_tick_stats(history: Parts, ticker: Name, between: Between, none_match: NoneMatch) -> Response:
    name = (await history.listing.resolve(ticker)).name
    return of_range(await history.hot.stats(name, *between), none_match)


@router.get(
    "/candles/{ticker}",
    operation_id="list_candles",
    summary="Candles of a range, from the stored ticks",
    description="Every candle that overlaps the range, whole, oldest first; where there was no price there is no "
    "candle. Days begin at midnight UTC. `complete` and `gaps` are about the whole candles, up to now. Without "
    "`start`, the last 1000. At most 10,000.",
    response_model=CandlesAnswer,
    responses=UNCHANGED | problem_responses(400, 401, 403, 404, 422, 503, shown={400: NO_TIME, 422: NO_RANGE}),
)
async def list_candles(
    history: Parts,
    ticker: Name,
    resolution: Annotated[
        Resolution, Query(description="Length of a candle in minutes; `1D` is a day", examples=[Resolution.MINUTE_1])
    ],
    between: BetweenCandles,
    none_match: NoneMatch,
) -> Response:
    name = (await history.listing.resolve(ticker)).name
    return of_range(await history.hot.candles(name, resolution, *between), none_match)


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
    between: Between,
    limit: Annotated[int, Query(description="At most so many", examples=[100], ge=1, le=MAX_ROWS)] = MAX_GAPS,
) -> GapsAnswer:
    name = (await history.listing.resolve(ticker)).name
    answer = await history.hot.gaps(name, *between, limit=limit)
    return GapsAnswer.model_validate(answer)
