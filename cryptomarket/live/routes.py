"""The stream, and the saved set."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, cast

from asgi_correlation_id import correlation_id
from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response

from cryptomarket.accounts.access import (
    CREDENTIAL_PARAMETERS,
    Person,
    StreamCaller,
    StreamEntry,
    address_of,
    check_still_known,
)
from cryptomarket.errors import Impossible, Malformed
from cryptomarket.live.event_schemas import EVENTS_SCHEMA
from cryptomarket.live.events import feed_of
from cryptomarket.live.hub import Hub
from cryptomarket.live.parts import LiveParts, Place
from cryptomarket.live.schemas import Cancelled, CancelledAll, Subscribed, Subscription, Subscriptions
from cryptomarket.live.seat import Seat
from cryptomarket.live.sse import HEADERS, MEDIA_TYPE, StreamResponse
from cryptomarket.live.stream import Mode, Stream, Wish, mailbox_of
from cryptomarket.problems import problem_responses

router = APIRouter()

STREAM_PATH = "/api/v2/sse/connection"

EVENTS = """\
Events: `connected` (first), `snapshot`, `message` (a tick; the default type), `status`, `gap`, `subscribed`,
`unsubscribed`, `keep_alive`, `problem`, `disconnected` (last). An `id:` promises that its holder has everything of this
stream up to that position; come back with it in `Last-Event-ID` and get every later event once, in order.
`resume` in `connected` says how it went: `fresh`, `complete`, or `reset` with snapshots.
"""
EXAMPLE = (
    'retry: 2741\nevent: connected\ndata: {"user_id":"u_mfrggzdfmztwq2lknnwg23tpob","request_id":"…","exchange":'
    '"simulator","tickers":["btc_usd"],"resume":"fresh","position":"019a3f2c7b1e4d2a-48212","server_time_us":'
    "1790165113481000}\n\n"
    'id: 019a3f2c7b1e4d2a-48213\ndata: {"seq":48213,"prev_seq":48209,"ticker":"btc_usd","instrument_name":"btc_usd",'
    '"kind":"index","price":85500.12,"timestamp":1790165113481,"received_us":1790165113502113,"published_us":'
    "1790165113502240}\n\n"
)
EXAMPLE_ID = "019a3f2c7b1e4d2a-48213"
STREAM_200: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Server-sent events, until one side ends them",
        "headers": {
            name: {"description": description, "schema": {"type": "string", "const": HEADERS[name]}}
            for name, description in (
                ("Cache-Control", "Nobody may keep or change it on the way"),
                ("X-Accel-Buffering", "A proxy passes each event on at once"),
            )
        },
        "content": {MEDIA_TYPE: {"schema": EVENTS_SCHEMA, "example": EXAMPLE}},
    }
}
NOT_SUBSCRIBED = ("Not found", "You are not subscribed to 'btc_usd'.", "ticker")
FULL = ("Impossible request", "A person subscribes to at most 200 tickers.", "ticker")
HAD = {"ticker": "btc_usd", "created": False, "tickers": ["BTC-PERPETUAL", "btc_usd"]}
CREATED: dict[int | str, dict[str, Any]] = {
    200: {"description": "It was in the saved set", "content": {"application/json": {"example": HAD}}},
    201: {"model": Subscribed, "description": "New in the saved set"},
}


async def parts(request: Request) -> LiveParts:
    """This room's parts, from lifespan state."""
    return cast("LiveParts", request.state.live)


Parts = Annotated[LiveParts, Depends(parts)]
Ticker = Annotated[
    str, Path(description="An index (`btc_usd`) or an instrument (`BTC-PERPETUAL`), in any case", examples=["btc_usd"])
]


@dataclass(frozen=True, slots=True)
class Asked:
    """The query of a stream, as it was sent."""

    tickers: str | None
    timer_s: float | None
    mode: Mode
    lifetime_s: float | None
    last_event_id: str | None


async def asked(
    tickers: Annotated[
        str | None,
        Query(
            description="Exactly these, comma separated, for the stream's whole life. Absent: the saved set, live.",
            examples=["btc_usd,BTC-PERPETUAL"],
            max_length=16_384,
        ),
    ] = None,
    timer: Annotated[
        float | None,
        Query(
            description="Seconds between beats: at most the latest event per ticker and beat",
            examples=[0.5],
            ge=0.05,
            le=3600,
            allow_inf_nan=False,
        ),
    ] = None,
    mode: Annotated[Mode, Query(description="`latest`: a reader who is behind gets the newest only")] = Mode.ALL,
    lifetime: Annotated[
        float | None,
        Query(description="The stream ends by itself after so many seconds", examples=[60], ge=1, allow_inf_nan=False),
    ] = None,
    last_event_id: Annotated[
        str | None,
        Query(
            description="Like the header Last-Event-ID, which wins. Strange ids are a `reset`", examples=[EXAMPLE_ID]
        ),
    ] = None,
    last_event_id_header: Annotated[
        str | None,
        Header(alias="Last-Event-ID", description="The id of the last event that was received", examples=[EXAMPLE_ID]),
    ] = None,
) -> Asked:
    """Reads the query; the header wins over the parameter, and an empty id is none."""
    return Asked(tickers, timer, mode, lifetime, last_event_id_header or last_event_id or None)


@router.get(
    STREAM_PATH,
    operation_id="open_stream",
    tags=["stream"],
    summary="Stream ticks",
    description=EVENTS,
    response_class=Response,
    responses=STREAM_200
    | problem_responses(
        400,
        401,
        403,
        404,
        422,
        429,
        503,
        shown={429: ("Too many requests", "This user has 1000 open streams, which is the limit.", None)},
    ),
    openapi_extra={"parameters": CREDENTIAL_PARAMETERS},
)
async def connection(
    request: Request, live: Parts, entry: StreamEntry, query: Annotated[Asked, Depends(asked)]
) -> Response:
    """Opens a stream. Anything wrong is told here, with a real status, before the stream opens."""
    if query.lifetime_s is not None and query.lifetime_s > live.limits.lifetime_s:
        raise Impossible(f"lifetime is at most {live.limits.lifetime_s:g} seconds.", field="lifetime")
    fixed = await _resolved(query.tickers, live) if query.tickers is not None else None
    wish = _wish(query, entry, fixed, live)
    seat = Seat(
        mailbox_of(wish, live.limits),
        entry.caller.user_id,
        follows_set=fixed is None,
        dies_with=entry.caller.dies_with,
    )
    place = live.places.take(entry.caller.user_id, address_of(request))
    ended = partial(_end, live.hub, seat, place)
    with ExitStack() as stack:
        stack.callback(ended)
        live.hub.admit(seat)
        # A revocation that came between the look at the token and the seat would find no stream to end.
        check_still_known(entry.caller, request.state.accounts)
        opening = await live.opener.open(seat, fixed, query.last_event_id)
        stack.pop_all()
    stream = Stream(live.hub, live.opener, seat, wish=wish, limits=live.limits, clock=live.clock, random=live.random)
    return StreamResponse(partial(stream.frames, opening), seat, farewell_s=live.limits.farewell_s, ended=ended)


def _end(hub: Hub, seat: Seat, place: Place) -> None:
    hub.dismiss(seat)
    place.release()


def _wish(query: Asked, entry: StreamCaller, fixed: Sequence[str] | None, live: LiveParts) -> Wish:
    return Wish(
        user_id=entry.caller.user_id,
        request_id=correlation_id.get() or "",
        exchange=live.exchange,
        expires_s=entry.caller.expires_s,
        timer_s=query.timer_s,
        mode=query.mode,
        lifetime_s=query.lifetime_s,
        access_token=entry.issued.access_token if entry.issued is not None else None,
        expires_in_s=entry.issued.expires_in_s if entry.issued is not None else None,
    )


async def _resolved(text: str, live: LiveParts) -> list[str]:
    """The tickers of the query as the exchange spells them, each once. Raises UnknownTicker."""
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise Malformed(
            "tickers is a list of names, separated by commas, such as btc_usd,BTC-PERPETUAL.", field="tickers"
        )
    names = list(dict.fromkeys(names))
    if len(names) > live.tickers_limit:
        raise Impossible(f"A stream carries at most {live.tickers_limit} tickers.", field="tickers")
    return list(dict.fromkeys([(await live.directory.resolve(name)).name for name in names]))


async def names_of(live: LiveParts, user_id: str) -> list[str]:
    """The user's saved set by name."""
    return [saved.ticker for saved in await live.subscriptions.tickers(user_id)]


@router.get(
    "/api/v2/subscriptions",
    operation_id="list_subscriptions",
    summary="The saved set",
    responses=problem_responses(401, 403, 503),
    tags=["subscriptions"],
)
async def list_subscriptions(live: Parts, caller: Person) -> Subscriptions:
    """Each ticker of the saved set with its feed's state and since when."""
    rows = []
    now_ms = live.clock.wall_ms()
    for saved in await live.subscriptions.tickers(caller.user_id):
        state, since_ms, age_ms = feed_of(live.hub.picture(saved.ticker), now_ms=now_ms)
        rows.append(
            Subscription(
                ticker=saved.ticker, subscribed_ms=saved.subscribed_ms, state=state, since_ms=since_ms, age_ms=age_ms
            )
        )
    return Subscriptions(user_id=caller.user_id, count=len(rows), subscriptions=rows)


@router.put(
    "/api/v2/subscriptions/{ticker}",
    operation_id="subscribe",
    summary="Subscribe",
    responses=CREATED | problem_responses(401, 403, 404, 422, 503, shown={422: FULL}),
    tags=["subscriptions"],
)
async def subscribe(live: Parts, caller: Person, ticker: Ticker, response: Response) -> Subscribed:
    """Adds a ticker to the saved set: 201 when it is new there, 200 when it was. Open streams are told at once."""
    name, created = await live.subscriptions.subscribe(caller.user_id, ticker)
    response.status_code = 201 if created else 200
    return Subscribed(ticker=name, created=created, tickers=await names_of(live, caller.user_id))


@router.delete(
    "/api/v2/subscriptions/{ticker}",
    operation_id="cancel_subscription",
    summary="Cancel",
    responses=problem_responses(401, 403, 404, 503, shown={404: NOT_SUBSCRIBED}),
    tags=["subscriptions"],
)
async def cancel(live: Parts, caller: Person, ticker: Ticker) -> Cancelled:
    """Takes a ticker out of the saved set. 404 when it is not in it."""
    name = await live.subscriptions.cancel(caller.user_id, ticker)
    return Cancelled(ticker=name, tickers=await names_of(live, caller.user_id))


@router.delete(
    "/api/v2/subscriptions",
    operation_id="cancel_all_subscriptions",
    summary="Cancel all",
    responses=problem_responses(401, 403, 503),
    tags=["subscriptions"],
)
async def cancel_all(live: Parts, caller: Person) -> CancelledAll:
    """Empties the saved set, and says what was in it."""
    return CancelledAll(cancelled=await live.subscriptions.cancel_all(caller.user_id))
