"""What travels on a Deribit connection: the shape of its frames, and what a conversation reports of them.

Frames are JSON-RPC 2.0 objects, one per text frame (docs.deribit.com/articles/json-rpc-overview). `data` and `result`
stay raw here: most frames are notifications, and whoever knows their kind decodes them once, into the right type.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

import msgspec

from cryptomarket.errors import ExchangeError, ExchangeUnavailable

_NOTHING = msgspec.Raw(b"")


class WireError(msgspec.Struct, frozen=True):
    """The `error` of an answer. `data` is an object or a string, and often absent."""

    code: int
    message: str = ""
    data: msgspec.Raw = _NOTHING


class WireReason(msgspec.Struct, frozen=True):
    """The `data` of an error, where it is an object that gives a reason."""

    reason: str = ""


class WireParams(msgspec.Struct, frozen=True, gc=False):
    """`params` of a frame that the exchange sends unasked: of a notification, or the `type` of a heartbeat."""

    channel: str = ""
    data: msgspec.Raw = _NOTHING
    type: str = ""


class Frame(msgspec.Struct, frozen=True, gc=False):
    """Any frame. `usIn`, `usDiff` and `testnet`, which only say how it was handled, are left out."""

    method: str = ""
    params: WireParams | None = None
    id: int | str | None = None
    result: msgspec.Raw = _NOTHING
    error: WireError | None = None
    us_out: int | None = msgspec.field(name="usOut", default=None)


class Request(msgspec.Struct, frozen=True):
    """A question of ours. `params` is an object, never positional."""

    id: int
    method: str
    params: dict[str, object]
    jsonrpc: str = "2.0"


class Notice(msgspec.Struct, frozen=True, gc=False):
    """News on a channel that we subscribed to."""

    channel: str
    data: msgspec.Raw


class Reply(msgspec.Struct, frozen=True):
    """The answer to the question `id`. `result` is JSON as sent, at `us_out` microseconds of the exchange's clock."""

    id: int
    method: str
    result: msgspec.Raw
    us_out: int | None = None


class Stamped(NamedTuple):
    """A result, as JSON, and when the exchange sent it, in microseconds since the epoch; None where it did not say."""

    result: bytes
    us_out: int | None


class Failure(msgspec.Struct, frozen=True):
    """The question `id` failed: the exchange answered with an error, or not in time.

    `id` is None when the exchange didn't say which question it means (a frame it could not read).
    """

    id: int | None
    method: str
    error: ExchangeError | ExchangeUnavailable


class Beat(msgspec.Struct, frozen=True):
    """A heartbeat of the exchange. `asked` when it wanted an answer, which is then already on its way."""

    asked: bool


class Unreadable(msgspec.Struct, frozen=True):
    """A frame that is not what the exchange sends. It is left out; the conversation goes on.

    `may_be_news` says that a notice may be lost with it: on `channel`, where the frame still names one.
    """

    reason: str
    channel: str | None = None
    may_be_news: bool = False


class Silence(msgspec.Struct, frozen=True):
    """Nothing at all was heard for `silent_s` seconds, heartbeats included: the other side is gone."""

    silent_s: float


Event = Notice | Reply | Failure | Beat | Unreadable | Silence


class AuthResult(msgspec.Struct, frozen=True):
    """The result of public/auth. `expires_in` is in seconds (docs.deribit.com/articles/authentication)."""

    access_token: str
    refresh_token: str
    expires_in: int
    scope: str = ""


class IndexPrice(msgspec.Struct, frozen=True, gc=False):
    """`data` of deribit_price_index.{index_name}. `timestamp` is in milliseconds."""

    timestamp: int
    price: Decimal
    index_name: str


class AskedIndexPrice(msgspec.Struct, frozen=True):
    """The result of public/get_index_price, as far as the gateway uses it.

    Source: docs.deribit.com/api-reference/market-data/public-get_index_price
    """

    index_price: Decimal


class TickerHead(msgspec.Struct, frozen=True, gc=False):
    """The part of a ticker that names it. `timestamp` is in milliseconds."""

    timestamp: int
    instrument_name: str


class InstrumentRow(msgspec.Struct, frozen=True):
    """One row of public/get_instruments, as far as the gateway uses it. Times are in milliseconds.

    Source: docs.deribit.com/api-reference/market-data/public-get_instruments
    """

    instrument_name: str
    kind: str
    base_currency: str | None = None
    quote_currency: str | None = None
    settlement_currency: str | None = None
    settlement_period: str | None = None
    price_index: str | None = None
    tick_size: Decimal | None = None
    contract_size: Decimal | None = None
    strike: Decimal | None = None
    option_type: str | None = None
    state: str | None = None
    is_active: bool = True
    creation_timestamp: int | None = None
    expiration_timestamp: int | None = None


class PlatformState(msgspec.Struct, frozen=True):
    """`data` of platform_state: a maintenance begins or ends, or an index is locked or free; what is not said is None.

    Source: docs.deribit.com/subscriptions/platform/platform_state
    """

    maintenance: bool | None = None
    price_index: str | None = None
    locked: bool | None = None


class InstrumentState(msgspec.Struct, frozen=True):
    """`data` of instrument.state.{kind}.{currency}. `timestamp` is in milliseconds."""

    timestamp: int
    instrument_name: str
    state: str


class AccountRow(msgspec.Struct, frozen=True):
    """The part of private/get_account_summary (extended) that says whose account it is."""

    id: int
    email: str | None = None
    username: str | None = None
    system_name: str | None = None
    type: str | None = None


@dataclass(frozen=True, slots=True)
class AccountHolder:
    """The person behind a key pair, as the exchange describes him. `type` is `main` or `subaccount`."""

    deribit_id: int
    email: str | None
    username: str | None
    system_name: str | None
    type: str | None
