"""JSON-RPC as Deribit speaks it: requests read, replies written (docs.deribit.com/articles/json-rpc-overview)."""

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from cryptomarket.simulator.refusals import Refusal, bad_param
from cryptomarket.simulator.spelling import Json, encode

_NO_ID: Final = object()


@dataclass(frozen=True, slots=True)
class Request:
    """A readable request. ``id`` is echoed unchanged; a request without one gets a reply without one (wire)."""

    method: str
    params: dict[str, Any]
    id: Any
    has_id: bool


class Unreadable(Exception):
    """A request that is refused before its method is known; ``id`` where it could be read."""

    def __init__(self, refusal: Refusal, request_id: Any = None, *, has_id: bool = False) -> None:  # noqa: ANN401  # whatever JSON was sent
        super().__init__(refusal.code)
        self.refusal = refusal
        self.id = request_id
        self.has_id = has_id


def read(text: bytes) -> Request:
    """A request from the text of a frame or body.

    Raises:
        Unreadable: not JSON (11050), not one object, no method, or positional parameters.
    """
    try:
        given = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Unreadable(Refusal(11050, "invalid json")) from None
    if not isinstance(given, dict):
        raise Unreadable(Refusal(11050, "invalid request"))
    request_id = given.get("id", _NO_ID)
    has_id = request_id is not _NO_ID
    method, params = given.get("method"), given.get("params", {})
    if not isinstance(method, str):
        raise Unreadable(Refusal(-32601), request_id, has_id=has_id)
    if params is None:
        params = {}
    if not isinstance(params, dict):
        raise Unreadable(bad_param("params", "wrong format"), request_id, has_id=has_id)
    return Request(method, params, request_id, has_id)


@dataclass(frozen=True, slots=True)
class Envelope:
    """What surrounds every reply. Times are microseconds."""

    us_in: int
    testnet: bool
    id: Any = None
    has_id: bool = False

    def result(self, value: Json) -> bytes:
        return self._wrap("result", value)

    def error(self, refusal: Refusal) -> bytes:
        return self._wrap("error", refusal.body())

    def _wrap(self, member: str, value: Json) -> bytes:
        # The time that answering takes is not measured, so that a conversation can be repeated to the letter.
        took_us = 59
        head: dict[str, Json] = {"jsonrpc": "2.0", "id": self.id} if self.has_id else {"jsonrpc": "2.0"}
        tail: dict[str, Json] = {
            "usIn": self.us_in,
            "usOut": self.us_in + took_us,
            "usDiff": took_us,
            "testnet": self.testnet,
        }
        return encode({**head, member: value, **tail})
