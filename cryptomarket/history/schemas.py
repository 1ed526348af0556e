"""What a caller sees of history. Prices are numbers to be read as decimals: they are sent with their exact digits."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from cryptomarket.history.cursors import EXAMPLE
from cryptomarket.history.formats import Format
from cryptomarket.market.candles import Resolution
from cryptomarket.market.instruments import Kind
from cryptomarket.market.ticks import GapCause, GapState, Source

Number = Annotated[Decimal, WithJsonSchema({"type": "number"})]


_EVENT = {
    "seq": 48213,
    "prev_seq": 48209,
    "ticker": "btc_usd",
    "instrument_name": "btc_usd",
    "kind": "index",
    "price": 85500.12,
    "timestamp": 1790165113481,
    "received_us": 1790165113502113,
    "published_us": 1790165113502240,
}


class Event(BaseModel):
    """A tick as it was streamed. An instrument also has every field of the exchange's ticker for its kind; fields of
    other kinds are absent, and what the exchange did not send is null.
    """

    model_config = ConfigDict(extra="allow")

    seq: int | None = Field(description="Place in the stream; null for rows that were not streamed", examples=[48213])
    prev_seq: int | None = Field(
        description="Place of this ticker's previous event; null at the start of an epoch", examples=[48209]
    )
    ticker: str = Field(examples=["btc_usd"])
    instrument_name: str = Field(examples=["btc_usd"])
    kind: Kind = Field(examples=[Kind.INDEX])
    price: Number | None = Field(
        description="The index price of an index, the last price of an instrument; null if it never traded",
        examples=[85500.12],
    )
    timestamp: int = Field(description="The exchange's own time, in milliseconds", examples=[1790165113481])
    received_us: int = Field(description="When the gateway received it, in microseconds", examples=[1790165113502113])
    published_us: int | None = Field(
        description="When the gateway published it, in microseconds; null when it never was",
        examples=[1790165113502240],
    )


class TickRow(Event):
    """A row of history: the event, and where it came from."""

    source: Source = Field(examples=[Source.STREAM])
    position: str | None = Field(
        description="`<epoch>-<seq>`, the id it had in the stream; only rows of the stream have one",
        examples=["019a3f2c7b1e4d2a-48213"],
    )


class ChosenFields(BaseModel):
    """A row with the fields that `fields` chose."""

    model_config = ConfigDict(extra="allow")


class Latest(TickRow):
    """The newest tick that is known."""

    age_ms: int = Field(description="Milliseconds since the gateway received it", examples=[412])


class RecordedGap(BaseModel):
    """Nothing was heard of the ticker between the tick at `from_ms` and the one at `to_ms`."""

    ticker: str = Field(examples=["btc_usd"])
    from_ms: int = Field(examples=[1790165113481])
    to_ms: int = Field(examples=[1790165119002])
    cause: GapCause = Field(examples=[GapCause.DISCONNECT])
    state: GapState = Field(examples=[GapState.RECORDED])
    seq: int | None = Field(examples=[48190])
    prev_seq: int | None = Field(examples=[48188])


class TickAt(TickRow):
    """The tick closest to a moment."""

    time: int = Field(
        description="The moment as understood, in milliseconds: the nearest one to what was asked",
        examples=[1790165113500],
    )
    difference_ms: int = Field(description="How far it is away from that moment, in milliseconds", examples=[19])
    complete: bool = Field(
        description="Whether everything closer to that moment was heard: no tick there was missed", examples=[True]
    )
    gaps: list[RecordedGap] = Field(description="Recorded gaps in which a closer one may have been missed")


class TicksPage(BaseModel):
    """A page of rows, in the order of (timestamp, source, epoch, seq, id), and what is known to be missing."""

    ticker: str = Field(examples=["btc_usd"])
    start: int = Field(description="As understood, in milliseconds", examples=[1790165113000])
    end: int = Field(description="As understood, in milliseconds", examples=[1790165120000])
    bounds: Literal["[start,end)"]
    count: int = Field(description="Rows on this page", examples=[1])
    complete: bool = Field(
        description="Whether everything of the whole range was heard and stored. False where a gap overlaps, where the "
        "feed was not live, before the ticker's first row, and where something that was heard may not be stored yet. "
        "Of a range that ends now it says that nothing which has reached the gateway is missing: a tick of its last "
        "moments may still be on its way from the exchange. An answer with an `ETag` is final.",
        examples=[False],
    )
    gaps: list[RecordedGap] = Field(description="Those that overlap the range, oldest first, at most 1000")
    next_cursor: str | None = Field(
        description="Pass it as `cursor` for the next page; null on the last", examples=[EXAMPLE]
    )
    data: list[TickRow | ChosenFields]


class Judged(BaseModel):
    """What every answer about a range says: how it was understood, and whether anything is missing from it."""

    ticker: str = Field(examples=["btc_usd"])
    start: int = Field(description="As understood, in milliseconds", examples=[1790165113000])
    end: int = Field(description="As understood, in milliseconds", examples=[1790165120000])
    bounds: Literal["[start,end)"]
    complete: bool = Field(
        description="Whether everything of the range was heard and stored; see `complete` of a page of ticks",
        examples=[False],
    )
    gaps: list[RecordedGap] = Field(description="Those that overlap, oldest first, at most 1000")


class PriceAt(BaseModel):
    """A price and the exchange's time of it, in milliseconds."""

    timestamp: int = Field(examples=[1790165113481])
    price: Number = Field(examples=[85500.12])


class Stats(Judged):
    """What the prices of a range have in common; null where there is none."""

    count: int = Field(description="Ticks with a price", examples=[7])
    min: Number | None = Field(examples=[85499.9])
    max: Number | None = Field(examples=[85501.25])
    avg: Number | None = Field(description="To 28 significant digits", examples=[85500.4375])
    first: PriceAt | None
    last: PriceAt | None


class Candle(BaseModel):
    """Open, high, low and close of the ticks in [timestamp, timestamp + resolution)."""

    timestamp: int = Field(description="When it begins, in milliseconds", examples=[1790165100000])
    open: Number = Field(examples=[85500.12])
    high: Number = Field(examples=[85501.25])
    low: Number = Field(examples=[85499.9])
    close: Number = Field(examples=[85500.75])
    ticks: int = Field(description="How many prices it is made of", examples=[57])
    closed: bool = Field(description="Whether its time is over and no further tick is on its way", examples=[True])
    revised: bool = Field(
        description="Whether a tick of it came in more than ten seconds after its end, when it was closed already",
        examples=[False],
    )
    source: Source = Field(
        description="`stream` when all its ticks were streamed; else the least direct source of one",
        examples=[Source.STREAM],
    )
    synthetic: bool = Field(description="Nothing was traded, and the exchange filled it in", examples=[False])


class CandlesAnswer(Judged):
    """Candles that overlap a range, each whole, oldest first."""

    resolution: Resolution = Field(examples=[Resolution.MINUTE_1])
    count: int = Field(examples=[1])
    data: list[Candle]


class ExportAnswer(BaseModel):
    """What became of a bulk answer."""

    request_id: str = Field(examples=["6f9619ff-8b86-4d01-b42d-00cf4fc964ff"])
    ticker: str = Field(examples=["btc_usd"])
    format: Format = Field(examples=[Format.CSV])
    start: int = Field(description="As understood, in milliseconds", examples=[1790165113000])
    end: int = Field(description="As understood, in milliseconds", examples=[1790165120000])
    state: Literal["done", "failed"] = Field(
        description="`failed` when it broke off, or its reader took nothing of it for too long", examples=["done"]
    )
    rows: int = Field(examples=[48213])
    sha256: str | None = Field(
        description="Of all bytes before the trailer; null when it broke off",
        examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
    )
    complete: bool = Field(description="Whether everything of the range was heard and told", examples=[True])
    finished_ms: int = Field(examples=[1790165125002])


class GapsAnswer(BaseModel):
    """Recorded gaps that overlap a range, oldest first."""

    ticker: str = Field(examples=["btc_usd"])
    start: int = Field(description="As understood, in milliseconds", examples=[1790165113000])
    end: int = Field(description="As understood, in milliseconds", examples=[1790165120000])
    bounds: Literal["[start,end)"]
    count: int = Field(examples=[1])
    truncated: bool = Field(description="Whether there are more than `limit`", examples=[False])
    data: list[RecordedGap]


class OlderFilter(BaseModel):
    """Rows by their time, `YYYY-MM-DD HH:MM:SS.mmm`; a second row of one millisecond is `…mmm#2`."""

    user_id: str = Field(examples=["u_mfrggzdfmztwq2lknnwg23tpob"])
    request_id: str = Field(examples=["6f9619ff-8b86-4d01-b42d-00cf4fc964ff"])
    tickers: list[str] = Field(examples=[["btc_usd"]])
    count: int = Field(examples=[1])
    truncated: bool = Field(description="Whether there are more than 10,000 rows", examples=[False])
    message: dict[str, Event] = Field(examples=[{"2026-09-23 12:05:13.481": _EVENT}])


class OlderFilterAnswer(BaseModel):
    """The older shape: the answer lies in `detail`."""

    detail: OlderFilter
