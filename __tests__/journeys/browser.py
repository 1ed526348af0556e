"""A real browser before the pages: what it shows, what it asks for, and what it complains of."""

import json
import re
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Error, Page, Request, async_playwright

from __tests__.journeys.gateway import Gateway, Json, Reader

CHROMIUM = "/usr/bin/chromium"
QUIET_CHROMIUM = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
DESK = {"width": 1440, "height": 900}
PHONE = {"width": 375, "height": 812}
# Everything that the page's own EventSource is told, kept beside it.
RECORDER = """
window.told = [];
window.EventSource = class extends EventSource {
    constructor(url) {
        super(url);
        for (const name of ["connected", "snapshot", "message", "status", "gap", "subscribed", "keep_alive"]) {
            this.addEventListener(name, (event) => window.told.push([name, event.lastEventId, event.data]));
        }
    }
};
"""
BARS = "() => Number(document.getElementById('chart').dataset.bars ?? 0)"
EPOCH = "0000000000000001"
UNAUTHORIZED = 401
SECOND_MS = 1000


@dataclass
class Witness:
    """What a page asked for and complained of."""

    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def on_request(self, request: Request) -> None:
        self.asked.append(request.url)

    def on_console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)

    def on_error(self, error: Error) -> None:
        self.complaints.append(str(error))

    @property
    def hosts(self) -> set[str]:
        """Every host that was asked."""
        return {urlsplit(url).netloc for url in self.asked}


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """The browser, until the block ends."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET_CHROMIUM)
        yield browser
        await browser.close()


@asynccontextmanager
async def opened(
    browser: Browser,
    url: str,
    *,
    size: dict[str, int] | None = None,
    theme: str = "dark",
    language: str = "en-US",
    scripts: Sequence[str] = (),
) -> AsyncIterator[tuple[Page, Witness]]:
    """A page of somebody who was never here."""
    context: BrowserContext = await browser.new_context(
        viewport={"width": (size or DESK)["width"], "height": (size or DESK)["height"]},
        color_scheme="light" if theme == "light" else "dark",
        locale=language,
        accept_downloads=True,
    )
    context.set_default_timeout(10_000)
    page, witness = await context.new_page(), Witness()
    page.on("request", witness.on_request)
    page.on("console", witness.on_console)
    page.on("pageerror", witness.on_error)
    for script in (RECORDER, *scripts):
        await page.add_init_script(script)
    await page.goto(url)
    yield page, witness
    await context.close()


async def enter(page: Page, account: str = "demo-1") -> None:
    """Signs in by the name of a demo account."""
    await page.get_by_role("button", name=account, exact=True).click()
    await page.locator("#link[data-state=open]").wait_for()


async def assert_signing_out_is_true(page: Page, gate: Gateway, inside: str) -> None:
    """Whoever cannot be signed out stays inside and is told so; whoever leaves has a dead token."""
    [cookie] = await page.context.cookies()
    leave = page.get_by_role("button", name="Sign out")
    async with gate.client(cookie["value"]) as client:
        await page.route("**/auth/revoke", lambda route: route.abort())
        await leave.click()
        await page.locator(".note[data-mood=bad]", has_text="Could not sign out").wait_for()
        await page.locator(inside).wait_for()
        assert await page.locator("#door").is_hidden()
        assert (await client.get("/api/v2/subscriptions")).status_code != UNAUTHORIZED
        await page.unroute("**/auth/revoke")
        await leave.click()
        await page.locator("#door").wait_for()
        assert (await client.get("/api/v2/subscriptions")).status_code == UNAUTHORIZED
    assert await page.context.cookies() == []


async def subscribe(page: Page, *tickers: str) -> None:
    """Finds each by the search, from the keyboard, and waits until it has a price."""
    for ticker in tickers:
        await page.keyboard.press("/")
        await page.keyboard.type(ticker.replace("_", " ").replace("-", " ").lower())
        await page.get_by_role("option", name=ticker).first.wait_for()
        await page.keyboard.press("Enter")
        await page.locator(f'.card[data-ticker="{ticker}"] .card-price', has_text=re.compile(r"\d")).wait_for()


async def violations(page: Page) -> list[str]:
    """What an accessibility scan (axe) finds, in a line each. Empty is clean."""
    found: Sequence[Json] = (await Axe().run(page)).response["violations"]
    return [f"{each['id']}: {node['target']} {node['html'][:160]}" for each in found for node in each["nodes"]]


async def told(page: Page) -> list[tuple[str, str, Json]]:
    """Name, id and data of every event that the page's stream has told."""
    return [(name, id_, json.loads(data)) for name, id_, data in await page.evaluate("window.told")]


def chains_hold(events: list[tuple[str, str, Json]]) -> int:
    """Asserts that each event of a ticker names the one before it, from one beginning to the next. How many did."""
    last: dict[str, int | None] = {}
    count = 0
    for name, _, data in events:
        if name == "connected" and data["resume"] != "complete":
            last.clear()
        elif name == "snapshot":
            last[data["ticker"]] = data["last_seq"]
        elif name in {"message", "status", "gap"} and data["seq"] is not None:
            assert data["prev_seq"] == last[data["ticker"]], (name, data)
            last[data["ticker"]] = data["seq"]
            count += 1
    return count


def ids_of(events: list[tuple[str, str, Json]]) -> list[str]:
    """Ids of ticks, states and gaps that stand in the order."""
    return [id_ for name, id_, data in events if name in {"message", "status", "gap"} and data["seq"] is not None]


def ids_read(reader: Reader) -> list[str]:
    """The same of a reader that was never cut off."""
    return [event.id for event in reader.events if event.event in {"message", "status", "gap"} and event.id]


def fill_past(
    database: Path, *, ticker: str, price: float, until_ms: int, hours: float, step_s: float, kind: str = "index"
) -> int:
    """Gives a gateway a past: a price that wanders to `price`. How many rows."""
    random = Random(ticker)
    count = int(hours * 3600 / step_s)
    rows, now = [], price
    for number in range(count):
        now += random.gauss(0, price * 0.00007) + (price - now) * 0.00004
        at_ms = int(until_ms - number * step_s * SECOND_MS)
        rows.append((ticker, ticker, kind, EPOCH, count - number, at_ms, at_ms * 1000, at_ms * 1000, f"{now:.2f}"))
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.executemany(
            "INSERT INTO crypto_price_tickers (ticker, instrument_name, kind, source, epoch, seq, timestamp_ms,"
            " received_us, published_us, price) VALUES (?, ?, ?, 'stream', ?, ?, ?, ?, ?, ?)",
            rows,
        )
    return count
