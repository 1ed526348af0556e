"""The pages of the document: from here alone, under a policy that would stop anything else."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator

import httpx2
import pytest
import uvicorn
from playwright.async_api import Request, async_playwright

from cryptomarket.app import create_app
from cryptomarket.edge.pages import ASSETS, START

PAGES = ["/docs", "/redoc"]


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    """Somebody with no network but the gateway."""
    app = create_app({}, exchange="simulator", body_limit_bytes=1024)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://gateway") as talking:
        yield talking


@pytest.fixture
async def address() -> AsyncIterator[str]:
    """The application behind a real server."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        app = create_app({}, exchange="simulator", body_limit_bytes=1024)
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        await serving


@pytest.mark.parametrize(("page", "shown"), [("/docs", ".opblock"), ("/redoc", "div[id*=operation]")])
async def test_a_browser_shows_the_document(address: str, page: str, shown: str) -> None:
    """Promise: a browser draws every operation, with nothing but what the gateway serves: what the page's own scripts
    would fetch elsewhere is stopped by the policy.
    """
    count = sum(
        len(operations) for operations in create_app({}, exchange="", body_limit_bytes=1).openapi()["paths"].values()
    )
    failed: list[Request] = []
    asked: list[Request] = []

    def on_request(request: Request) -> None:
        asked.append(request)

    def on_failure(request: Request) -> None:
        failed.append(request)

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        opened = await browser.new_page()
        opened.on("request", on_request)
        opened.on("requestfailed", on_failure)
        await opened.goto(f"{address}{page}")
        await opened.locator(shown).nth(count - 1).wait_for(timeout=60_000)
        await browser.close()
    foreign = {request.url for request in asked if not request.url.startswith((address, "blob:", "data:"))}
    stopped = {request.url for request in failed if request.failure == "csp"}
    assert len(asked) > len(foreign)
    assert foreign <= stopped


@pytest.mark.parametrize("page", PAGES)
async def test_a_page_names_nothing_elsewhere(client: httpx2.AsyncClient, page: str) -> None:
    """Promise: no address of another server in the page, every file it names is served, and no script in the page."""
    answer = await client.get(page)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert not re.search(r"https?:|src=\"//|href=\"//", answer.text)
    assert not re.search(r"<script>|<script [^>]*>[^<]", answer.text)
    named = re.findall(r"(?:src|href|spec-url)=\"([^\"]+)\"", answer.text)
    assert len(named) >= 3
    for name in named:
        part = await client.get(f"/{name}")
        assert part.status_code == 200, name
        assert len(part.content) > 100


@pytest.mark.parametrize("name", sorted(ASSETS))
async def test_a_file_is_served_as_what_it_is(client: httpx2.AsyncClient, name: str) -> None:
    """Promise: each file with its type, kept by browsers and asked for again by its tag."""
    answer = await client.get(f"/docs/assets/{name}")
    assert answer.headers["content-type"].startswith(ASSETS[name])
    assert answer.headers["etag"]
    assert answer.headers["cache-control"] == "public, max-age=3600"


@pytest.mark.parametrize("name", ["nothing.js", "..%2f__init__.py", "%2e%2e", START.upper()])
async def test_no_other_file_is(client: httpx2.AsyncClient, name: str) -> None:
    """Promise: the files of the pages, and nothing else of the disk."""
    assert (await client.get(f"/docs/assets/{name}")).status_code == 404


@pytest.mark.parametrize("page", PAGES)
async def test_a_page_may_load_from_here_alone(client: httpx2.AsyncClient, page: str) -> None:
    """Promise: what a browser would load from elsewhere, or run from within the page, it is told not to."""
    policy = dict(
        part.strip().partition(" ")[::2]
        for part in (await client.get(page)).headers["content-security-policy"].split(";")
    )
    assert (policy["default-src"], policy["script-src"], policy["connect-src"]) == ("'none'", "'self'", "'self'")
    assert "http" not in str(policy)
    assert "*" not in str(policy)


async def test_the_document_itself_needs_nothing_else(client: httpx2.AsyncClient) -> None:
    """Promise: a start script that asks no validator of somebody else, and a document that names no page of itself."""
    assert "validatorUrl: null" in (await client.get(f"/docs/assets/{START}")).text
    assert not set(PAGES) & set((await client.get("/openapi.json")).json()["paths"])
