"""The older date filter, on the same functions."""

from collections import Counter
from typing import Annotated, Any

import msgspec
from asgi_correlation_id import correlation_id
from fastapi import APIRouter, Depends, Path, Query, Response

from cryptomarket.accounts.access import Caller, Person
from cryptomarket.errors import Forbidden, Malformed
from cryptomarket.history.lines import older_line
from cryptomarket.history.questions import MAX_ROWS
from cryptomarket.history.routes import Name, Parts, exact
from cryptomarket.history.rows import Row, event_json
from cryptomarket.history.schemas import OlderFilterAnswer
from cryptomarket.history.timestamps import OLDER_PATTERN, older_time_ms, spelled
from cryptomarket.market.wire import encode
from cryptomarket.problems import problem_responses

router = APIRouter(prefix="/api/v1/market", tags=["v1"])

# For the document, and for the sentence about what is missing; what is there is read by hand.
WRITTEN: dict[str, Any] = {
    "format": OLDER_PATTERN,
    "pattern": "^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}_[0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}$",
}


async def own(
    caller: Person,
    user_id: Annotated[str, Path(description="Your own user id", examples=["u_mfrggzdfmztwq2lknnwg23tpob"])],
) -> Caller:
    """The caller, when the path names him, whatever else is wrong with the request. Raises Forbidden."""
    if caller.user_id != user_id:
        raise Forbidden("This is another user's.", field="user_id")
    return caller


def by_time(rows: list[Row]) -> str:
    """Rows by their time, without the braces around them."""
    seen: Counter[int] = Counter()
    told: dict[str, msgspec.Raw] = {}
    for row in rows:
        seen[row.timestamp_ms] += 1
        again = f"#{seen[row.timestamp_ms]}" if seen[row.timestamp_ms] > 1 else ""
        told[spelled(row.timestamp_ms) + again] = msgspec.Raw(event_json(row))
    return encode(told)[1:-1].decode()


@router.get(
    "/{user_id}/get_order/{ticker}",
    operation_id="get_order",
    summary="Stored ticks between two dates (older path)",
    description=f"Dates are written `{OLDER_PATTERN}` (zero padding optional), in UTC, and both ends are included, as "
    "instants. At most 10,000 rows; beyond, `truncated` is true and the first ones are told.",
    response_model=OlderFilterAnswer,
    responses=problem_responses(
        400,
        401,
        403,
        404,
        503,
        shown={
            400: (
                "Malformed request",
                f"start_date is written {OLDER_PATTERN}, in UTC, such as 2026-01-31_12:00:00.",
                "start_date",
            ),
            403: ("Forbidden", "This is another user's.", "user_id"),
        },
    ),
)
async def get_order(
    history: Parts,
    caller: Annotated[Caller, Depends(own)],
    ticker: Name,
    start_date: Annotated[
        str, Query(description="The first moment", examples=["2026-01-31_12:00:00"], json_schema_extra=WRITTEN)
    ],
    end_date: Annotated[
        str | None,
        Query(description="The last moment; now when absent", examples=["2026-1-31_13:0:0"], json_schema_extra=WRITTEN),
    ] = None,
) -> Response:
    start_ms = older_time_ms(start_date, field="start_date")
    end_ms = history.clock.wall_ms() if end_date is None else older_time_ms(end_date, field="end_date")
    if start_ms > end_ms:
        if end_date is None:
            raise Malformed(
                f"start_date lies in the future: it is written {OLDER_PATTERN}, in UTC.", field="start_date"
            )
        raise Malformed(
            f"start_date lies after end_date. Both are written {OLDER_PATTERN}, in UTC; without end_date it is now.",
            field="start_date",
        )
    instrument = await history.listing.resolve(ticker)
    name, line = instrument.name, older_line(instrument.name, instrument.kind)
    found = await history.hot.believed(name, start_ms, end_ms + 1, line, by_time, limit=MAX_ROWS)
    answer = {
        "user_id": caller.user_id,
        "request_id": correlation_id.get() or "",
        "tickers": [name],
        "count": found.rows,
        "truncated": found.more,
        "message": msgspec.Raw(f"{{{found.text}}}".encode()),
    }
    return exact(encode({"detail": answer}))
