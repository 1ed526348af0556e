"""Reading what somebody presents to log in with: headers, HTTP Basic, a form or JSON.

Plain text goes into `Secret` at once, and no function here raises while it holds some: what a traceback shows of its
frames is stars.
"""

import base64
import binascii
from dataclasses import dataclass
from urllib.parse import parse_qsl

import msgspec
from starlette.datastructures import Headers
from starlette.requests import Request

from cryptomarket.errors import Malformed, TooLarge, Unauthenticated
from cryptomarket.secret import Secret

CLIENT_ID_HEADER = "X-Client-Id"
SECRET_HEADER = "X-Secret-key"  # noqa: S105 - a header's name
USER_ID_HEADER = "X-User-id"

MAX_BODY_BYTES = 8192
_MAX_FIELDS = 16
_FORM = "application/x-www-form-urlencoded"
_JSON = "application/json"
_SECRET_FIELDS = ("client_secret", "api_key")

Fields = dict[str, Secret]


@dataclass(frozen=True, slots=True)
class PairGrant:
    """A Deribit key pair."""

    client_id: str
    secret: Secret


@dataclass(frozen=True, slots=True)
class KeyGrant:
    """One of the gateway's own API keys."""

    api_key: Secret


class _JsonFields(msgspec.Struct):
    grant_type: str | None = None
    client_id: str | None = None
    client_secret: str | None = None
    api_key: str | None = None


def pair_of_headers(headers: Headers) -> PairGrant | None:
    """The pair in X-Client-Id and X-Secret-key; None without either. Raises Unauthenticated when one is missing."""
    if CLIENT_ID_HEADER not in headers and SECRET_HEADER not in headers:
        return None
    pair = PairGrant(headers.get(CLIENT_ID_HEADER, ""), Secret(headers.get(SECRET_HEADER, "")))
    if not pair.client_id or not pair.secret:
        raise Unauthenticated(f"{CLIENT_ID_HEADER} and {SECRET_HEADER} are needed together.")
    return pair


async def read_grant(request: Request) -> PairGrant | KeyGrant:
    """What POST /auth/token was sent (RFC 6749, 4.4). Raises Malformed, TooLarge."""
    if any(name in request.query_params for name in _SECRET_FIELDS):
        raise Malformed("A secret does not belong into a URL, where it is logged. Consider it known and replace it.")
    fields = await _read_fields(request)
    grant_type = fields.get("grant_type", Secret("")).reveal()
    if grant_type == "api_key":
        if "api_key" not in fields:
            raise Malformed("The field api_key is missing.", field="api_key")
        return KeyGrant(fields["api_key"])
    if grant_type != "client_credentials":
        raise Malformed("grant_type is client_credentials or api_key.", field="grant_type")
    return _pair(fields, _read_basic(request.headers.get("authorization")))


def _pair(fields: Fields, basic: PairGrant | None) -> PairGrant:
    if basic is not None:
        if "client_secret" in fields:
            raise Malformed("The pair is presented in one way, not in two (RFC 6749, 2.3).", field="client_secret")
        return basic
    for name in ("client_id", "client_secret"):
        if name not in fields:
            raise Malformed(f"The field {name} is missing.", field=name)
    return PairGrant(fields["client_id"].reveal(), fields["client_secret"])


def _read_basic(header: str | None) -> PairGrant | None:
    """Raises Malformed for an Authorization that is not HTTP Basic (RFC 7617)."""
    if header is None:
        return None
    pair = _decoded_basic(header)
    del header
    if pair is None:
        raise Malformed("Authorization is 'Basic ' and the base64 of client_id:client_secret.", field="Authorization")
    return pair


def _decoded_basic(header: str) -> PairGrant | None:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        client_id, colon, secret = base64.b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")
    except (binascii.Error, ValueError):
        return None
    return PairGrant(client_id, Secret(secret)) if colon else None


async def _read_fields(request: Request) -> Fields:
    body = await _read_body(request)
    if body is None:
        raise TooLarge(f"The body is larger than {MAX_BODY_BYTES} bytes.")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in (_FORM, _JSON):
        raise Malformed(f"The body is {_FORM} or {_JSON}.", field="Content-Type")
    fields = _fields_of_json(body) if kind == _JSON else _fields_of_form(body)
    if fields is None:
        raise Malformed("The body can't be read: each field once, and text.")
    return fields


async def _read_body(request: Request) -> Secret | None:
    """None when it is too large. Latin-1 keeps every byte, so that reading can't fail."""
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > MAX_BODY_BYTES:
            return None
    return Secret(received.decode("latin-1"))


def _fields_of_form(body: Secret) -> Fields | None:
    try:
        pairs = parse_qsl(
            body.reveal().encode("latin-1").decode("utf-8"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MAX_FIELDS,
        )
    except ValueError:
        return None
    fields = {name: Secret(text) for name, text in pairs}
    return fields if len(fields) == len(pairs) else None


def _fields_of_json(body: Secret) -> Fields | None:
    try:
        decoded = msgspec.json.decode(body.reveal().encode("latin-1"), type=_JsonFields)
    except (msgspec.MsgspecError, UnicodeError):
        return None
    return {name: Secret(text) for name, text in msgspec.structs.asdict(decoded).items() if text is not None}
