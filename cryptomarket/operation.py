"""How the gateway is: alive, ready, and what its slots, log and streams are doing."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, cast

from asgi_correlation_id import correlation_id
from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, Field

from cryptomarket import __version__
from cryptomarket.accounts.access import Operator
from cryptomarket.history.ledger import RecentGaps
from cryptomarket.problems import MEDIA_TYPE, Problem, problem_responses

# What every process says of itself, and what is for operators.
state_router = APIRouter(tags=["operation"])
router = APIRouter(tags=["operation"])

Ping = Callable[[], Awaitable[None]]


class Health(BaseModel):
    """The process is alive: its loop turns."""

    status: str = Field(examples=["alive"])
    version: str = Field(examples=["0.1.0"])
    exchange: str = Field(examples=["simulator"], description="`production`, `test` or `simulator`")
    simulated: bool = Field(examples=[True], description="Whether prices are made up by the simulator")
    exchange_reachable: bool = Field(examples=[True])


class PartState(BaseModel):
    """One part's truth."""

    ready: bool = Field(examples=[True])
    detail: str = Field(examples=["10 of 10 sessions"])


class Readiness(BaseModel):
    """Whether this process can do its work, part by part."""

    ready: bool = Field(examples=[True])
    parts: dict[str, PartState] = Field(examples=[{"exchange": {"ready": True, "detail": "10 of 10 sessions"}}])


class Unready(Problem):
    """A part is not ready. Beside what every problem has, each part with its own truth."""

    ready: Literal[False] = False
    parts: dict[str, PartState] = Field(examples=[{"exchange": {"ready": False, "detail": "0 of 10 sessions"}}])


class SlotView(BaseModel):
    """One place of the pool, and its session with the exchange."""

    slot: int = Field(examples=[0], description="Its number")
    owner: str | None = Field(
        examples=["4234-be454520"],
        description="The process that holds its lease, null where nobody does",
    )
    purpose: str = Field(examples=["data"], description="`data` carries channels, `login` serves logins and requests")
    session_state: str = Field(
        examples=["ready"], description="`connecting`, `opening`, `ready`, `waiting` to return, `leaving` or `closed`"
    )
    since_ms: int = Field(examples=[1790165113481], description="When it came into that state, in milliseconds")
    channels: int = Field(examples=[2], description="Channels that the exchange has granted to it, its own among them")


class LogView(BaseModel):
    """The log: its head, and up to where everything is stored."""

    head: str = Field(examples=["019a3f2c7b1e4d2a-48213"], description="The position of the newest publication")
    stored_up_to: int = Field(
        examples=[48210], description="Every publication up to this sequence is stored: the lag is what lies between"
    )


class StreamsView(BaseModel):
    """The streams of this process: open, with something waiting, and let go as slow since the start."""

    open: int = Field(examples=[12], description="Streams that are open now")
    behind: int = Field(examples=[0], description="Those of them for which something waits")
    slow: int = Field(examples=[0], description="Streams let go as `slow` since the start of the process")


class OperationView(BaseModel):
    """What the gateway is doing."""

    exchange: str = Field(examples=["simulator"], description="`production`, `test` or `simulator`")
    slots: list[SlotView]
    wanted: list[str] = Field(examples=[["btc_usd", "eth_usd"]], description="Tickers that somebody wants")
    held: list[str] = Field(
        examples=[["btc_usd", "eth_usd"]], description="Tickers whose channels the exchange has granted"
    )
    credits: int = Field(examples=[50000], description="Request credits that are left with the exchange")
    log: LogView
    streams: StreamsView
    gaps_open: int = Field(examples=[0], description="Feeds that are not heard now, and will have a gap")


@dataclass(frozen=True, slots=True)
class OperationParts:
    """What these routes are given: functions that tell the truth when they are called."""

    exchange: str
    reachable: Callable[[], bool]
    readiness: Callable[[], Awaitable[Mapping[str, PartState]]]
    operation: Callable[[], Awaitable[OperationView]]
    recent_gaps: Callable[[int], Awaitable[RecentGaps]]


async def parts(request: Request) -> OperationParts:
    """This module's parts, from lifespan state."""
    return cast("OperationParts", request.state.operation)


Parts = Annotated[OperationParts, Depends(parts)]
NOT_READY = "A part is not ready"
NO_OPERATOR = ("Forbidden", "This needs a token with the scope operator.", None)
UNREADY = problem_responses(503, shown={503: (NOT_READY, "Not ready: exchange (0 of 10 sessions).", None)})
UNREADY[503]["description"] = "A part is not ready; it is named"
UNREADY[503]["content"][MEDIA_TYPE]["schema"] = {"$ref": "#/components/schemas/Unready"}
UNREADY[503]["content"][MEDIA_TYPE]["example"] |= {
    "ready": False,
    "parts": {"exchange": {"ready": False, "detail": "0 of 10 sessions"}},
}


@state_router.get("/health", operation_id="read_health", summary="Is the process alive?")
async def health(told: Parts) -> Health:
    """Answers while the loop turns. Says which exchange is behind, and whether it can be reached."""
    return Health(
        status="alive",
        version=__version__,
        exchange=told.exchange,
        simulated=told.exchange == "simulator",
        exchange_reachable=told.reachable(),
    )


@state_router.get(
    "/ready",
    operation_id="read_readiness",
    summary="Can the process do its work?",
    response_model=Readiness,
    responses=UNREADY,
)
async def ready(told: Parts) -> Response | Readiness:
    """Each part with its own truth; 503 when one of them is not ready."""
    states = dict(await told.readiness())
    missing = [f"{name} ({state.detail})" for name, state in states.items() if not state.ready]
    if not missing:
        return Readiness(ready=True, parts=states)
    problem = Unready(
        title=NOT_READY,
        status=503,
        detail=f"Not ready: {', '.join(missing)}.",
        request_id=correlation_id.get() or "",
        parts=states,
    )
    return Response(
        problem.model_dump_json(exclude_none=True), 503, headers={"Retry-After": "1"}, media_type=MEDIA_TYPE
    )


@router.get(
    "/api/v2/operation",
    operation_id="read_operation",
    summary="Slots, channels, log and streams",
    responses=problem_responses(401, 403, 503, shown={403: NO_OPERATOR}),
)
async def operation(told: Parts, _caller: Operator) -> OperationView:
    """For operators: which slot holds what, what is wanted, how far the log and the store are, who is behind."""
    return await told.operation()


@router.get(
    "/api/v2/operation/gaps",
    operation_id="list_recent_gaps",
    summary="Recent gaps of all tickers",
    responses=problem_responses(
        400,
        401,
        403,
        422,
        503,
        shown={
            400: ("Malformed request", "hours can't be read: it must be a whole number from 1 to 168.", "hours"),
            403: NO_OPERATOR,
            422: ("Impossible request", "hours is too large: it must be a whole number from 1 to 168.", "hours"),
        },
    ),
)
async def recent_gaps(
    told: Parts,
    _caller: Operator,
    hours: Annotated[int, Query(description="How far back", examples=[6], ge=1, le=168)] = 1,
) -> RecentGaps:
    """For operators: every interval of the last hours in which nothing was heard of a ticker; at most 1000."""
    return await told.recent_gaps(hours)
