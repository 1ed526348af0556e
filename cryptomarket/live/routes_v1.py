"""The older paths of the saved set. GET changes state there, as the older collection has it."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Response

from cryptomarket.accounts.access import Caller, Person, same_origin
from cryptomarket.errors import Forbidden
from cryptomarket.live.routes import FULL, HAD, NOT_SUBSCRIBED, Parts, Ticker, names_of
from cryptomarket.live.schemas import (
    Cancelled,
    CancelledAll,
    CancelledAllV1,
    CancelledV1,
    Subscribed,
    SubscribedV1,
)
from cryptomarket.problems import problem_responses

router = APIRouter(prefix="/api/v1/market", tags=["v1"], dependencies=[Depends(same_origin)])

UserId = Annotated[str, Path(description="Your own user id", examples=["u_mfrggzdfmztwq2lknnwg23tpob"])]


async def own(caller: Person, user_id: UserId) -> Caller:
    """The caller, when the path names him. Raises Forbidden."""
    if caller.user_id != user_id:
        raise Forbidden("This is another user's.", field="user_id")
    return caller


Own = Annotated[Caller, Depends(own)]
CREATED: dict[int | str, dict[str, Any]] = {
    200: {"description": "It was in the saved set", "content": {"application/json": {"example": {"detail": HAD}}}},
    201: {"model": SubscribedV1, "description": "New in the saved set"},
}
ANOTHERS = ("Forbidden", "This is another user's.", "user_id")
# GETs that change something: nobody may cause that by HEAD, which is safe (RFC 9110, 9.2.1).
CHANGING_PATHS = tuple(
    f"{router.prefix}/{{user_id}}/{order}"
    for order in ("create_order/{ticker}", "cancel_order/{ticker}", "cancel_all_orders")
)


@router.get(
    "/{user_id}/create_order/{ticker}",
    operation_id="create_order_by_get",
    summary="Subscribe (older path)",
    responses=CREATED | problem_responses(401, 403, 404, 422, 503, shown={403: ANOTHERS, 422: FULL}),
)
@router.post(
    "/{user_id}/create_order/{ticker}",
    operation_id="create_order",
    summary="Subscribe (older path)",
    responses=CREATED | problem_responses(401, 403, 404, 422, 503, shown={403: ANOTHERS, 422: FULL}),
)
async def create_order(live: Parts, caller: Own, ticker: Ticker, response: Response) -> SubscribedV1:
    """Adds a ticker to the saved set: 201 when it is new there, 200 when it was there."""
    name, created = await live.subscriptions.subscribe(caller.user_id, ticker)
    response.status_code = 201 if created else 200
    return SubscribedV1(detail=Subscribed(ticker=name, created=created, tickers=await names_of(live, caller.user_id)))


@router.get(
    "/{user_id}/cancel_order/{ticker}",
    operation_id="cancel_order_by_get",
    summary="Cancel (older path)",
    responses=problem_responses(401, 403, 404, 503, shown={403: ANOTHERS, 404: NOT_SUBSCRIBED}),
)
@router.delete(
    "/{user_id}/cancel_order/{ticker}",
    operation_id="cancel_order",
    summary="Cancel (older path)",
    responses=problem_responses(401, 403, 404, 503, shown={403: ANOTHERS, 404: NOT_SUBSCRIBED}),
)
async def cancel_order(live: Parts, caller: Own, ticker: Ticker) -> CancelledV1:
    """Takes a ticker out of the saved set. 404 when it is not in it."""
    name = await live.subscriptions.cancel(caller.user_id, ticker)
    return CancelledV1(detail=Cancelled(ticker=name, tickers=await names_of(live, caller.user_id)))


@router.get(
    "/{user_id}/cancel_all_orders",
    operation_id="cancel_all_orders_by_get",
    summary="Cancel all (older path)",
    responses=problem_responses(401, 403, 503, shown={403: ANOTHERS}),
)
@router.delete(
    "/{user_id}/cancel_all_orders",
    operation_id="cancel_all_orders",
    summary="Cancel all (older path)",
    responses=problem_responses(401, 403, 503, shown={403: ANOTHERS}),
)
async def cancel_all_orders(live: Parts, caller: Own) -> CancelledAllV1:
    """Empties the saved set, and says what was in it."""
    return CancelledAllV1(detail=CancelledAll(cancelled=await live.subscriptions.cancel_all(caller.user_id)))
