"""What is presented is read once, strictly, and never as plain text for longer than it takes to wrap it."""

import base64
from collections.abc import Sequence

import pytest
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import Message

from cryptomarket.accounts.credentials import MAX_BODY_BYTES, KeyGrant, PairGrant, pair_of_headers, read_grant
from cryptomarket.errors import Malformed, TooLarge, Unauthenticated

FORM = "application/x-www-form-urlencoded"
PAIR = b"grant_type=client_credentials&client_id=demo-1&client_secret=demo-1-secret"


def request(
    body: bytes | Sequence[bytes], kind: str | None = FORM, *, authorization: str | None = None, query: str = ""
) -> Request:
    """A request as a server hands it in, its body in pieces."""
    pieces = [body] if isinstance(body, bytes) else list(body)
    headers = [(b"content-type", kind.encode())] if kind else []
    if authorization is not None:
        headers.append((b"authorization", authorization.encode()))

    async def receive() -> Message:
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    scope = {"type": "http", "method": "POST", "path": "/", "query_string": query.encode(), "headers": headers}
    return Request(scope, receive)


def basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


async def pair(asked: Request) -> tuple[str, str]:
    grant = await read_grant(asked)
    assert isinstance(grant, PairGrant)
    return grant.client_id, grant.secret.reveal()


async def test_a_pair_comes_as_form_json_or_basic() -> None:
    """The three ways of RFC 6749 that the contract names; a type's parameters and a body in pieces don't matter."""
    good = ("demo-1", "demo-1-secret")
    assert await pair(request(PAIR)) == good
    assert await pair(request([PAIR[:20], b"", PAIR[20:]], f"{FORM.upper()}; charset=utf-8")) == good
    document = b'{"grant_type":"client_credentials","client_id":"demo-1","client_secret":"demo-1-secret","x":[1]}'
    assert await pair(request(document, "application/json")) == good
    grant = b"grant_type=client_credentials"
    assert await pair(request(grant, authorization=basic("demo-1:demo-1-secret"))) == good
    assert await pair(request(grant, authorization=basic("demo-1:a:b").replace("Basic", "bAsIc"))) == ("demo-1", "a:b")


async def test_a_form_means_what_it_encodes() -> None:
    """Percent signs, plus signs and other alphabets arrive as they were meant."""
    encoded = b"grant_type=client_credentials&client_id=a%2Bb&client_secret=%C3%A4+%25"
    assert await pair(request(encoded)) == ("a+b", "ä %")


async def test_an_api_key_is_a_grant_of_its_own() -> None:
    """grant_type=api_key needs nothing of the exchange."""
    grant = await read_grant(request(b"grant_type=api_key&api_key=cmk_x"))
    assert isinstance(grant, KeyGrant)
    assert grant.api_key.reveal() == "cmk_x"
    assert "cmk_x" not in repr(grant)


@pytest.mark.parametrize(
    ("body", "kind", "authorization"),
    [
        (b"", FORM, None),
        (PAIR, None, None),
        (PAIR, "text/plain", None),
        (PAIR, "multipart/form-data; boundary=x", None),
        (PAIR, "application/json", None),
        (b"[]", "application/json", None),
        (b'{"grant_type":1}', "application/json", None),
        (b'{"grant_type":"client_credentials","client_id":"a","client_secret":7}', "application/json", None),
        (b"{" * 4000, "application/json", None),
        (b"\xff\xfe", "application/json", None),
        (b"grant_type=client_credentials&client_id=%FF&client_secret=b", FORM, None),
        (PAIR.replace(b"client_credentials", b"password"), FORM, None),
        (b"grant_type=client_credentials&client_id=a", FORM, None),
        (b"grant_type=client_credentials&client_secret=a", FORM, None),
        (b"grant_type=api_key", FORM, None),
        (PAIR + b"&client_id=demo-2", FORM, None),
        (PAIR + b"&a=1" * 3000, FORM, None),
        (PAIR, FORM, basic("demo-1:demo-1-secret")),
        (b"grant_type=client_credentials", FORM, "Bearer abc"),
        (b"grant_type=client_credentials", FORM, "Basic !!!"),
        (b"grant_type=client_credentials", FORM, "Basic"),
        (b"grant_type=client_credentials", FORM, basic("no colon")),
    ],
)
async def test_anything_else_is_malformed(body: bytes, kind: str | None, authorization: str | None) -> None:
    """A missing, doubled or strange field, an unknown type, two ways at once: 400, and nothing of it is shown."""
    if len(body) > MAX_BODY_BYTES:
        with pytest.raises(TooLarge):
            await read_grant(request(body, kind, authorization=authorization))
        return
    with pytest.raises(Malformed) as refused:
        await read_grant(request(body, kind, authorization=authorization))
    assert "demo" not in str(refused.value)
    assert refused.value.__cause__ is None


async def test_too_much_is_not_read() -> None:
    """An endless body is left after eight thousand bytes, whatever length it claimed."""
    pieces = [b"x" * 1000] * 50
    asked = request(pieces)
    with pytest.raises(TooLarge):
        await read_grant(asked)


async def test_a_secret_in_the_url_is_refused_with_a_warning() -> None:
    """It has been logged by then, by somebody; accepting it would teach the habit."""
    for name in ("client_secret", "api_key"):
        with pytest.raises(Malformed, match="URL"):
            await read_grant(request(PAIR, query=f"{name}=demo-1-secret"))


def test_header_pairs_are_whole_or_nobodys() -> None:
    """Neither header: no pair. One of them, or an empty one: 401 that says which belong together."""
    assert pair_of_headers(Headers({})) is None
    found = pair_of_headers(Headers({"x-client-id": "demo-1", "X-SECRET-KEY": "demo-1-secret"}))
    assert found is not None
    assert (found.client_id, found.secret.reveal()) == ("demo-1", "demo-1-secret")
    assert "demo-1-secret" not in repr(found)
    for half in (
        {"x-client-id": "demo-1"},
        {"x-secret-key": "demo-1-secret"},
        {"x-client-id": "", "x-secret-key": "demo-1-secret"},
        {"x-client-id": "demo-1", "x-secret-key": ""},
    ):
        with pytest.raises(Unauthenticated, match="together"):
            pair_of_headers(Headers(half))
