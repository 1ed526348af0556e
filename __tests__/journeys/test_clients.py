"""Clients that others wrote read our stream as it is: a browser, two libraries, and a command line tool."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Page, async_playwright
from sseclient import SSEClient

from __tests__.journeys.gateway import Gateway, Json, exact, gateway, reading

pytestmark = pytest.mark.asyncio(loop_scope="module")

TICKERS = "btc_usd,BTC-PERPETUAL"
MANY = 20
Told = list[tuple[str, str]]
"""Id and data of ticks, in order, as a client gave them."""

CHROMIUM = "/usr/bin/chromium"
QUIET_CHROMIUM = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip

LOG_IN = """async () => {
    const pair = new URLSearchParams({
        grant_type: "client_credentials", client_id: "demo-1", client_secret: "demo-1-secret",
    });
    const answer = await fetch("/api/v2/auth/token?cookie=true", {method: "POST", body: pair});
    return [answer.status, document.cookie];
}"""
READ_MESSAGES = """([url, many]) => new Promise((resolve) => {
    const told = [];
    const source = new EventSource(url);
    source.onmessage = (event) => {
        told.push([event.lastEventId, event.data]);
        if (told.length === many) { source.close(); resolve(told); }
    };
})"""
READ_UNTIL_BACK = """([url, many]) => new Promise((resolve) => {
    const told = [];
    let left = null;
    const source = new EventSource(url);
    for (const name of ["connected", "snapshot", "message", "status", "gap", "disconnected"]) {
        source.addEventListener(name, (event) => {
            told.push([name, event.lastEventId, event.data]);
            if (name === "connected" && told.length > 1) { left = many; }
            if (name === "message" && left !== null && --left === 0) { source.close(); resolve(told); }
        });
    }
})"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gate(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    """One gateway for all clients."""
    async with gateway(tmp_path_factory.mktemp("clients")) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def page(gate: Gateway) -> AsyncIterator[Page]:
    """A page of the gateway's own in a real browser, logged in by cookie."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET_CHROMIUM)
        opened = await browser.new_page()
        await opened.goto(f"{gate.url}/health")
        status, readable_cookies = await opened.evaluate(LOG_IN)
        assert (status, readable_cookies) == (200, ""), "the cookie is for the browser alone, not for scripts"
        yield opened
        await browser.close()


def stream_url(gate: Gateway, **query: str | float) -> str:
    """The address of a stream of both tickers."""
    return str(httpx.URL(f"{gate.url}/api/v2/sse/connection", params={"tickers": TICKERS, **query}))


async def of_httpx_sse(gate: Gateway, token: str, after: str) -> Told:
    """What httpx-sse reads."""
    async with reading(gate, token, headers={"Last-Event-ID": after}, tickers=TICKERS) as reader:
        await reader.until(lambda reader: len(reader.named("message")) >= MANY)
        return [(event.id, event.data) for event in reader.events if event.event == "message"][:MANY]


def of_sseclient(gate: Gateway, token: str, after: str) -> Told:
    """What sseclient-py reads."""

    def pieces(answer: httpx.Response) -> Iterator[bytes]:
        yield from answer.iter_bytes()

    headers = {"Authorization": f"Bearer {token}", "Last-Event-ID": after}
    told: Told = []
    with httpx.stream("GET", stream_url(gate), headers=headers, timeout=20) as answer:
        for event in SSEClient(pieces(answer)).events():
            if event.event == "message":
                told.append((event.id or "", event.data))
            if len(told) == MANY:
                break
    return told


async def of_curl(gate: Gateway, token: str, after: str) -> Told:
    """What curl reads, taken apart as the specification says."""
    curl = await asyncio.create_subprocess_exec(
        "curl", "-sSN", "-H", f"Authorization: Bearer {token}", "-H", f"Last-Event-ID: {after}", stream_url(gate),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert curl.stdout is not None
    told: Told = []
    while len(told) < MANY:
        event = (await curl.stdout.readuntil(b"\n\n")).decode()
        fields = dict(line.split(": ", 1) for line in event.splitlines() if line)
        if "event" not in fields:
            told.append((fields["id"], fields["data"]))
    curl.terminate()
    await curl.wait()
    return told


async def of_chromium(page: Page, gate: Gateway, after: str) -> Told:
    """What the browser's EventSource hands to `onmessage`."""
    told = await page.evaluate(READ_MESSAGES, [stream_url(gate, last_event_id=after), MANY])
    return [(id_, data) for id_, data in told]


async def test_each_client_gets_the_same_ticks_at_once(gate: Gateway, page: Page) -> None:
    """Promise: a browser by cookie, libraries and curl by token get the same events of the same ids, byte for byte,
    from the same position, and while they happen.
    """
    token, _ = await gate.login()
    async with reading(gate, token, tickers=TICKERS) as reader:
        await reader.until(lambda reader: reader.named("message"))
        after = reader.last_id
        async with asyncio.timeout(30):
            told = await asyncio.gather(
                of_httpx_sse(gate, token, after),
                asyncio.to_thread(of_sseclient, gate, token, after),
                of_curl(gate, token, after),
                of_chromium(page, gate, after),
            )
        await reader.until(lambda reader: any(event.id == told[0][-1][0] for event in reader.events))
    ids = [event.id for event in reader.events]
    ours = [(event.id, event.data) for event in reader.events[ids.index(after) + 1 :] if event.event == "message"]
    for theirs in told:
        assert theirs == ours[:MANY]
    prices = [exact(data)["price"] for _, data in told[-1]]
    assert len(set(prices)) > 1
    assert {exact(data)["ticker"] for _, data in told[-1]} == set(TICKERS.split(","))


async def test_a_browser_comes_back_by_itself(gate: Gateway, page: Page) -> None:
    """Promise: when a stream's life is over, EventSource returns with its last id, and continues without a crack."""
    async with asyncio.timeout(30):
        told: list[tuple[str, str, str]] = await page.evaluate(READ_UNTIL_BACK, [stream_url(gate, lifetime=1), 8])
    events: list[tuple[str, str, Json]] = [(name, id_, exact(data)) for name, id_, data in told]
    names = [name for name, _, _ in events]
    back = names.index("connected", 1)
    assert names[back - 1] == "disconnected"
    assert events[back - 1][2]["reason"] == "drain"
    assert events[0][2]["resume"] == "fresh"
    assert events[back][2]["resume"] == "complete"
    assert events[back][2]["position"] == events[back - 1][1] == events[back][1]
    assert "snapshot" not in names[back:]
    assert events[back][2]["user_id"] == events[0][2]["user_id"]
    last_seq: dict[str, int] = {}
    for name, _, data in events:
        if name == "snapshot":
            last_seq[data["ticker"]] = data["last_seq"]
        elif name in {"message", "status", "gap"}:
            assert data["prev_seq"] == last_seq[data["ticker"]]
            last_seq[data["ticker"]] = data["seq"]


async def test_a_stream_leaves_no_name_in_a_cache(gate: Gateway, tmp_path: Path) -> None:
    """Promise: the headers tell proxies and browsers to pass the stream on at once, and to keep nothing of it."""
    headers_path = tmp_path / "headers"
    token, _ = await gate.login()
    curl = await asyncio.create_subprocess_exec(
        "curl", "-sS", "-D", headers_path, "-o", "/dev/null", "-H", f"Authorization: Bearer {token}",
        stream_url(gate, lifetime=1),
    )  # fmt: skip
    async with asyncio.timeout(10):
        assert await curl.wait() == 0, "the end of a stream's life is an orderly end of its answer"
    lines = headers_path.read_text().splitlines()
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:] if line)}
    assert lines[0] == "HTTP/1.1 200 OK"
    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert headers["cache-control"] == "no-cache, no-transform"
    assert headers["x-accel-buffering"] == "no"
    assert headers["x-request-id"]
