"""Which methods an address has, and that HEAD is GET without its content."""

from collections.abc import AsyncIterator

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from cryptomarket.edge.methods import HeadByGet, Methods


async def told(request: Request) -> Response:
    return Response(b"twelve bytes", headers={"X-Asked": request.method})


async def pieces(_request: Request) -> Response:
    async def flow() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    return StreamingResponse(flow())


ROUTES = [
    Route("/thing/{name}", told, methods=["PUT"]),
    Route("/thing/{name}", told, methods=["DELETE"]),
    Route("/pieces", pieces, methods=["POST"]),
]


class OnlyGet(Route):
    """A route that knows GET and not HEAD, as the framework's own are."""

    def __init__(self, path: str, endpoint: object) -> None:
        super().__init__(path, endpoint)  # type: ignore[arg-type]
        self.methods = {"GET"}


ROUTES += [OnlyGet("/thing/{name}", told), OnlyGet("/pieces", pieces), OnlyGet("/once/{name}", told)]
METHODS = Methods(ROUTES, without_head=["/once/{name}"])


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    app = Starlette(routes=ROUTES, middleware=[Middleware(HeadByGet, methods=METHODS)])
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://gateway") as talking:
        yield talking


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/thing/a", ["GET", "HEAD", "PUT", "DELETE"]),
        ("/pieces", ["GET", "HEAD", "POST"]),
        ("/once/a", ["GET"]),
        ("/nowhere", []),
    ],
)
def test_an_address_has_the_methods_of_all_its_routes(path: str, methods: list[str]) -> None:
    """Promise: `Allow` can name every method of an address, however many routes share it, and none that it lacks."""
    assert METHODS.of({"type": "http", "method": "PATCH", "path": path, "root_path": "", "headers": []}) == methods


@pytest.mark.parametrize("path", ["/thing/a", "/pieces"])
async def test_head_is_get_without_content(client: httpx2.AsyncClient, path: str) -> None:
    """Promise: the status and the headers that GET would have, Content-Length among them, and no content."""
    asked, got = await client.head(path), await client.get(path)
    assert (asked.status_code, asked.content) == (got.status_code, b"") == (200, b"")
    assert asked.headers == got.headers


async def test_an_address_may_have_no_head(client: httpx2.AsyncClient) -> None:
    """Promise: where a GET opens or changes something, HEAD does nothing."""
    answer = await client.head("/once/a")
    assert (answer.status_code, "x-asked" in answer.headers) == (405, False)
