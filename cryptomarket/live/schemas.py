"""What a caller sees of his subscriptions."""

from pydantic import BaseModel, Field

from cryptomarket.market.ticks import FeedState


class Subscribed(BaseModel):
    """A ticker is in the saved set. `created` says whether it is new there."""

    ticker: str = Field(examples=["btc_usd"])
    created: bool = Field(examples=[True])
    tickers: list[str] = Field(examples=[["BTC-PERPETUAL", "btc_usd"]])


class Cancelled(BaseModel):
    """A ticker was taken out of the saved set, which is `tickers` since."""

    ticker: str = Field(examples=["btc_usd"])
    tickers: list[str] = Field(examples=[["BTC-PERPETUAL"]])


class CancelledAll(BaseModel):
    """These tickers were taken out. The saved set is empty since."""

    cancelled: list[str] = Field(examples=[["BTC-PERPETUAL", "btc_usd"]])


class Subscription(BaseModel):
    """A ticker of the saved set and how its feed is. Milliseconds since the Unix epoch; `age_ms` is the time since its
    last tick was received, null before the first.
    """

    ticker: str = Field(examples=["btc_usd"])
    subscribed_ms: int = Field(examples=[1790165113481])
    state: FeedState = Field(examples=[FeedState.LIVE])
    since_ms: int | None = Field(examples=[1790165113481])
    age_ms: int | None = Field(examples=[412])


class Subscriptions(BaseModel):
    """The saved set."""

    user_id: str = Field(examples=["u_mfrggzdfmztwq2lknnwg23tpob"])
    count: int = Field(examples=[1])
    subscriptions: list[Subscription]


class SubscribedV1(BaseModel):
    """The older shape: the answer lies in `detail`."""

    detail: Subscribed


class CancelledV1(BaseModel):
    """The older shape: the answer lies in `detail`."""

    detail: Cancelled


class CancelledAllV1(BaseModel):
    """The older shape: the answer lies in `detail`."""

    detail: CancelledAll
