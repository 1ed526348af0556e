"""The HTTP face of the exchange: targets, bodies and Authorization headers turned into requests."""

import base64
import binascii
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from cryptomarket.simulator.accounts import Account, Accounts, Grant, http_signature
from cryptomarket.simulator.exchange import Exchange
from cryptomarket.simulator.methods import METHODS
from cryptomarket.simulator.params import from_query
from cryptomarket.simulator.refusals import METHOD_NOT_FOUND, Refusal, unauthorized
from cryptomarket.simulator.replies import Envelope, Request, Unreadable, read

API_PATH: Final = "/api/v2"


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One HTTP request; header names in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> list[tuple[str, str]]:
        return parse_qsl(urlsplit(self.target).query, keep_blank_values=True)


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """Status, body and what the body is."""

    status: int
    body: bytes
    content_type: str = "application/json"


def answer(exchange: Exchange, request: HttpRequest, address: str, now_us: int) -> HttpAnswer:
    """The reply to a request under ``/api/v2``. GET and POST both serve every method."""
    envelope = Envelope(now_us, exchange.options.testnet)
    if request.method not in ("GET", "POST"):
        return HttpAnswer(405, b"Method Not Allowed", "text/plain")
    if len(request.body) > exchange.options.max_request_bytes:
        return HttpAnswer(413, envelope.error(Refusal(-32600)))
    try:
        asked = _asked(request)
    except Unreadable as error:
        return HttpAnswer(400, Envelope(now_us, envelope.testnet, error.id, error.has_id).error(error.refusal))
    except Refusal as refusal:
        return HttpAnswer(400, envelope.error(refusal))
    status, body = exchange.ask(address, asked, lambda accounts, clock_us: _grant(accounts, request, clock_us), now_us)
    return HttpAnswer(status, body)


def _asked(request: HttpRequest) -> Request:
    method = request.path.removeprefix(API_PATH).strip("/")
    if request.body:
        given = read(request.body) if method == "" else _with_method(request.body, method)
        return Request(method or given.method, given.params, given.id, given.has_id)
    known = METHODS.get(method)
    params = from_query(known.params if known else (), request.query)
    # A query string has no place for an id, and the reply carries none.
    request_id = params.pop("id", None)
    return Request(method, params, request_id, has_id=False)


def _with_method(body: bytes, method: str) -> Request:
    try:
        return read(body)
    except Unreadable as error:
        if error.refusal.code != METHOD_NOT_FOUND:
            raise
        return Request(method, {}, error.id, error.has_id)


def _grant(accounts: Accounts, request: HttpRequest, now_us: int) -> Grant | None:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    match scheme.lower():
        case "":
            return None
        case "bearer":
            return accounts.find(value.strip(), now_us)
        case "basic":
            return _passing(_basic(accounts, value), now_us)
        case "deri-hmac-sha256":
            return _passing(_signed(accounts, request, value, now_us), now_us)
    raise unauthorized()


def _basic(accounts: Accounts, value: str) -> Account:
    try:
        client_id, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise Refusal(13004) from None
    return accounts.by_secret(client_id, secret)


def _signed(accounts: Accounts, request: HttpRequest, value: str, now_us: int) -> Account:
    parts = dict(part.strip().split("=", 1) for part in value.split(",") if "=" in part)
    timestamp, nonce = parts.get("ts", ""), parts.get("nonce", "")
    return accounts.by_signature(
        parts.get("id"), timestamp, parts.get("sig", ""), now_us,
        lambda secret: http_signature(
            secret, timestamp, nonce, request.method, request.target, request.body.decode(errors="replace")
        ),
    )  # fmt: skip


def _passing(account: Account, now_us: int) -> Grant:
    # Signed requests log nobody in: the grant lasts for this request and holds no session.
    return Grant(account, "account:read trade:read wallet:read", "", "", now_us, now_us + 1, 0, None)
