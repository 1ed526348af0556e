"""The events of a stream as the document shows them. What is sent is written in `events`; these only describe it."""

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from cryptomarket.market.instruments import Kind
from cryptomarket.market.ticks import FeedState, GapCause, GapState
from cryptomarket.problems import REQUEST_ID, Problem

Number = Annotated[Decimal, WithJsonSchema({"type": "number"})]
Seq = Annotated[
    int | None, Field(description="Place in the stream; null for what a process tells by itself", examples=[48213])
]
PrevSeq = Annotated[
    int | None, Field(description="Place of this ticker's previous tick, status or gap", examples=[48209])
]
Ticker = Annotated[str, Field(examples=["btc_usd"])]
SinceMs = Annotated[int | None, Field(examples=[1790165113481])]
AgeMs = Annotated[
    int | None,
    Field(description="Milliseconds since its last tick was received; null before the first", examples=[412]),
]
POSITION = "019a3f2c7b1e4d2a-48213"


class ConnectedEvent(BaseModel):
    """First, always. With the credential headers also the token to come back with."""

    user_id: str = Field(examples=["u_mfrggzdfmztwq2lknnwg23tpob"])
    request_id: str = Field(examples=[REQUEST_ID])
    exchange: str = Field(examples=["simulator"])
    tickers: list[str] = Field(examples=[["btc_usd"]])
    resume: Literal["fresh", "complete", "reset"]
    position: str = Field(examples=[POSITION])
    server_time_us: int = Field(examples=[1790165113502000])
    access_token: str = Field(default="", examples=["eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1In0.c2lnbmF0dXJl"])
    expires_in: int = Field(default=0, description="Seconds", examples=[86400])


class MessageEvent(BaseModel):
    """A tick, the default type. An instrument also has every field of the exchange's ticker for its kind."""

    model_config = ConfigDict(extra="allow")

    seq: Seq
    prev_seq: PrevSeq
    ticker: Ticker
    instrument_name: str | None = Field(examples=["btc_usd"])
    kind: Kind | None
    price: Number | None = Field(examples=[85500.12])
    timestamp: int | None = Field(description="The exchange's own time, in milliseconds", examples=[1790165113481])
    received_us: int | None = Field(examples=[1790165113502113])
    published_us: int | None = Field(examples=[1790165113502240])


class SnapshotEvent(MessageEvent):
    """The last known tick of a ticker with its own `seq`; nulls when none is known."""

    instrument_state: str | None = Field(
        default=None, description="What a `message` of an instrument calls `state`", examples=["open"]
    )
    age_ms: AgeMs
    state: FeedState = Field(description="The feed's, as in `status`")
    since_ms: SinceMs
    last_seq: int | None = Field(description="What the ticker's next event has as `prev_seq`", examples=[48213])


class StatusEvent(BaseModel):
    """The state of a ticker's feed has changed."""

    ticker: Ticker
    state: FeedState
    since_ms: SinceMs
    age_ms: AgeMs
    reason: str | None = Field(examples=["no tick for 5 s"])
    seq: Seq
    prev_seq: PrevSeq


class GapEvent(BaseModel):
    """Nothing was heard of the ticker in [from_ms, to_ms), and now it is again."""

    ticker: Ticker
    from_ms: int = Field(examples=[1790165113481])
    to_ms: int = Field(examples=[1790165119002])
    cause: GapCause
    state: GapState
    seq: Seq
    prev_seq: PrevSeq


class SetChangeEvent(BaseModel):
    """The saved set was changed, and is `tickers` since."""

    ticker: Ticker
    tickers: list[str] = Field(examples=[["BTC-PERPETUAL", "btc_usd"]])
    seq: Seq


class FeedView(BaseModel):
    """How the feed of one ticker is."""

    state: FeedState
    age_ms: AgeMs
    seq: Seq


class KeepAliveEvent(BaseModel):
    """Nothing else was to be told for a while. Everything up to `position` was."""

    position: str = Field(examples=[POSITION])
    server_time_us: int = Field(examples=[1790165113502000])
    feeds: dict[str, FeedView] = Field(examples=[{"btc_usd": {"state": "live", "age_ms": 412, "seq": 48213}}])


class DisconnectedEvent(BaseModel):
    """Last, when the gateway ends the stream."""

    reason: Literal["slow", "drain", "revoked", "expired", "shutdown"]
    retry_ms: int = Field(examples=[3000])


EVENTS: dict[str, type[BaseModel]] = {
    "connected": ConnectedEvent,
    "snapshot": SnapshotEvent,
    "message": MessageEvent,
    "status": StatusEvent,
    "gap": GapEvent,
    "subscribed": SetChangeEvent,
    "unsubscribed": SetChangeEvent,
    "keep_alive": KeepAliveEvent,
    "problem": Problem,
    "disconnected": DisconnectedEvent,
}


def _shape(name: str, model: type[BaseModel]) -> dict[str, Any]:
    data = {
        "type": "string",
        "contentMediaType": "application/json",
        "contentSchema": {"$ref": f"#/components/schemas/{model.__name__}"},
    }
    properties = {
        "event": {"const": name},
        "data": data,
        "id": {"type": "string", "description": "A position up to which the holder has everything"},
        "retry": {"type": "integer", "minimum": 1000, "maximum": 5000, "description": "Sent once, in milliseconds"},
    }
    if name == "message":
        # The default type, which no name stands for on the wire.
        return {"type": "object", "properties": properties, "required": ["data", "id"]}
    return {"type": "object", "properties": properties, "required": ["event", "data"]}


# A text, and what each event in it is when it is read (JSON Schema 2020-12, Validation, 8.5): OpenAPI 3.1
# has no word of its own for a sequence of events.
EVENTS_SCHEMA: dict[str, Any] = {
    "type": "string",
    "contentMediaType": "text/event-stream",
    "contentSchema": {"anyOf": [_shape(name, model) for name, model in EVENTS.items()]},
}
