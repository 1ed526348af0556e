"""The shapes of two sibling services."""

from pydantic import BaseModel, Field

from cryptomarket.history.schemas import Number

_CREATED = "2026-01-18T20:29:43.530431+00:00"


class Price(BaseModel):
    """A price as a number."""

    id: int = Field(examples=[1])
    ticker: str = Field(examples=["btc_usd"])
    price: Number | None = Field(examples=[95413.23])
    timestamp: int = Field(description="The exchange's time, in milliseconds", examples=[1768768182422])
    created_at: str = Field(description="When the gateway received it", examples=[_CREATED])


class Prices(BaseModel):
    """The newest prices of a ticker, newest first."""

    data: list[Price]
    count: int = Field(examples=[1])
    ticker: str = Field(examples=["btc_usd"])


class PricesBetween(Prices):
    """The prices of [start, end), oldest first."""

    start: int = Field(description="In milliseconds", examples=[1768768182422])
    end: int = Field(description="In milliseconds", examples=[1768768282422])


class Item(BaseModel):
    """A price as a text of its digits."""

    id: int = Field(examples=[1])
    ticker: str = Field(examples=["btc_usd"])
    price: str | None = Field(examples=["95413.23"])
    timestamp: int = Field(description="The exchange's time, in microseconds", examples=[1768768182422000])
    created_at: str = Field(description="When the gateway received it", examples=[_CREATED])


class Items(BaseModel):
    """Prices of a ticker."""

    items: list[Item]
