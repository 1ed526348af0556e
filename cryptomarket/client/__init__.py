"""The Python client of a gateway: live ticks that resume by themselves, history, exports, the saved set.

    from cryptomarket.client import Client, KeyPair, Tick

    async with Client("http://127.0.0.1:8003", KeyPair("demo-1", "demo-1-secret")) as client:
        async for event in client.stream("btc_usd", "BTC-PERPETUAL"):
            if isinstance(event, Tick):
                print(event.ticker, event.price)

Prices are `Decimal`, read from the gateway's digits and through no float. What is refused is raised as one of the
errors of `cryptomarket.errors`, which are named here again.
"""

from cryptomarket.client.answers import (
    Candle,
    Candles,
    Export,
    Health,
    Me,
    Readiness,
    RecordedGap,
    Statistics,
    Subscription,
    TickAt,
    TickerInfo,
    TicksPage,
    records,
)
from cryptomarket.client.client import Client
from cryptomarket.client.credentials import AccessToken, ApiKey, KeyPair, Token
from cryptomarket.client.events import (
    ComboTick,
    Connected,
    Disconnected,
    Event,
    FutureTick,
    Gap,
    IndexTick,
    InstrumentTick,
    Interrupted,
    KeepAlive,
    OptionTick,
    PerpetualTick,
    Problem,
    Reset,
    Snapshot,
    SpotTick,
    Status,
    Subscribed,
    Tick,
    Unsubscribed,
)
from cryptomarket.client.exports import BrokenDownload, ExportFormat
from cryptomarket.client.refusals import GatewayFailed
from cryptomarket.client.stream import EVERYTHING, MARKET, Heard, Stream
from cryptomarket.errors import (
    CryptomarketError,
    Forbidden,
    Impossible,
    Malformed,
    NotFound,
    Refusal,
    TooMany,
    Unauthenticated,
    Unavailable,
)
from cryptomarket.secret import Secret

__all__ = [
    "EVERYTHING",
    "MARKET",
    "AccessToken",
    "ApiKey",
    "BrokenDownload",
    "Candle",
    "Candles",
    "Client",
    "ComboTick",
    "Connected",
    "CryptomarketError",
    "Disconnected",
    "Event",
    "Export",
    "ExportFormat",
    "Forbidden",
    "FutureTick",
    "Gap",
    "GatewayFailed",
    "Health",
    "Heard",
    "Impossible",
    "IndexTick",
    "InstrumentTick",
    "Interrupted",
    "KeepAlive",
    "KeyPair",
    "Malformed",
    "Me",
    "NotFound",
    "OptionTick",
    "PerpetualTick",
    "Problem",
    "Readiness",
    "RecordedGap",
    "Refusal",
    "Reset",
    "Secret",
    "Snapshot",
    "SpotTick",
    "Statistics",
    "Status",
    "Stream",
    "Subscribed",
    "Subscription",
    "Tick",
    "TickAt",
    "TickerInfo",
    "TicksPage",
    "Token",
    "TooMany",
    "Unauthenticated",
    "Unavailable",
    "Unsubscribed",
    "records",
]
