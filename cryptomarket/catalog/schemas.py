"""What a caller sees of the catalogue."""

from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, Field, WithJsonSchema

from cryptomarket.market.instruments import Instrument, Kind

Number = Annotated[Decimal, WithJsonSchema({"type": "number"})]


class Ticker(BaseModel):
    """A thing that can be subscribed. What the exchange does not say of its kind is null."""

    ticker: str = Field(description="Its name, as the exchange spells it", examples=["BTC-27DEC26-50000-C"])
    kind: Kind = Field(examples=[Kind.OPTION])
    base_currency: str | None = Field(examples=["BTC"])
    quote_currency: str | None = Field(examples=["BTC"])
    settlement_currency: str | None = Field(examples=["BTC"])
    index_name: str | None = Field(examples=["btc_usd"])
    active: bool = Field(description="Whether it is traded now; an index always is", examples=[True])
    state: str | None = Field(description="The exchange's word for its state", examples=["open"])
    creation_ms: int | None = Field(examples=[1758873600000])
    expiration_ms: int | None = Field(description="Null for what never expires", examples=[1798358400000])
    strike: Number | None = Field(examples=[50000])
    option_type: str | None = Field(examples=["call"])
    tick_size: Number | None = Field(examples=[0.0005])
    contract_size: Number | None = Field(examples=[1])


class TickersAnswer(BaseModel):
    """Every ticker that was asked for, by kind and name."""

    count: int = Field(examples=[1])
    data: list[Ticker]


def told(instrument: Instrument) -> dict[str, object]:
    """An instrument as callers see it."""
    return {
        "ticker": instrument.name,
        "kind": instrument.kind,
        "base_currency": instrument.base_currency,
        "quote_currency": instrument.quote_currency,
        "settlement_currency": instrument.settlement_currency,
        "index_name": instrument.index_name,
        "active": instrument.is_active,
        "state": instrument.state,
        "creation_ms": instrument.creation_ms,
        "expiration_ms": instrument.expiration_ms,
        "strike": instrument.strike,
        "option_type": instrument.option_type,
        "tick_size": instrument.tick_size,
        "contract_size": instrument.contract_size,
    }
