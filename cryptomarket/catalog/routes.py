"""What can be subscribed."""

from typing import Annotated, cast

from fastapi import APIRouter, Depends, Query, Request, Response

from cryptomarket.accounts.access import person
from cryptomarket.catalog.directory import Catalogue
from cryptomarket.catalog.schemas import TickersAnswer, told
from cryptomarket.errors import ExchangeUnavailable
from cryptomarket.market.instruments import Instrument, Kind
from cryptomarket.market.wire import encode
from cryptomarket.problems import problem_responses

router = APIRouter(prefix="/api/v2", tags=["catalogue"], dependencies=[Depends(person)])
_ORDER = {kind: place for place, kind in enumerate(Kind)}


async def catalogue(request: Request) -> Catalogue:
    return cast("Catalogue", request.state.catalog)


@router.get(
    "/tickers",
    operation_id="list_tickers",
    summary="Which tickers there are",
    description="Indices and instruments, by kind and name. Loaded from the exchange every hour, and when it lists "
    "something new. 503 before they were loaded for the first time.",
    response_model=TickersAnswer,
    responses=problem_responses(
        400,
        401,
        403,
        422,
        503,
        shown={
            400: ("Malformed request", "active can't be read: it must be true or false.", "active"),
            422: (
                "Impossible request",
                "kind is none of the choices: it must be index, future, perpetual, option, spot or combo.",
                "kind",
            ),
        },
    ),
)
async def list_tickers(
    known: Annotated[Catalogue, Depends(catalogue)],
    kind: Annotated[Kind | None, Query(description="Tickers of this kind alone", examples=[Kind.PERPETUAL])] = None,
    currency: Annotated[
        str | None,
        Query(
            description="Those whose base, quote or settlement currency it is, in any case",
            examples=["BTC"],
            min_length=1,
            max_length=20,
        ),
    ] = None,
    active: Annotated[
        bool | None, Query(description="Those that are traded now, or those that are not", examples=[True])
    ] = None,
) -> Response:
    if not known.is_loaded:
        raise ExchangeUnavailable("The tickers of the exchange are not known yet.")
    found = [each for each in known.all() if _fits(each, kind, currency and currency.upper(), active)]
    found.sort(key=lambda each: (_ORDER[each.kind], each.name))
    return Response(
        encode({"count": len(found), "data": [told(each) for each in found]}), media_type="application/json"
    )


def _fits(instrument: Instrument, kind: Kind | None, currency: str | None, active: bool | None) -> bool:
    currencies = (instrument.base_currency, instrument.quote_currency, instrument.settlement_currency)
    return (
        (kind is None or instrument.kind is kind)
        and (currency is None or currency in currencies)
        and (active is None or instrument.is_active is active)
    )
