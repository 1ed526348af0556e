"""Takes the pictures of the pages that the documents show: python -m __tests__.journeys.pictures"""

import asyncio
import tempfile
import time
from pathlib import Path

import httpx
from playwright.async_api import Browser

from __tests__.journeys.browser import PHONE, chromium, enter, fill_past, opened
from __tests__.journeys.gateway import Gateway, Json, gateway
from __tests__.journeys.witness import comes_true

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "pictures"
TICKERS = ("btc_usd", "eth_usd", "BTC-PERPETUAL", "ETH-PERPETUAL")
HOURS = {"btc_usd": 24.0, "eth_usd": 14.0, "BTC-PERPETUAL": 24.0, "ETH-PERPETUAL": 14.0}
SETTLED_MS = 25_000


async def first_row(client: httpx.AsyncClient, ticker: str) -> Json:
    """The first stored tick, once there is one."""

    async def stored() -> Json:
        return (await client.get(f"/api/v2/ticks/{ticker}?limit=1")).json()["data"]

    return (await comes_true(stored))[0]


async def prepare(gate: Gateway) -> None:
    """Somebody's tickers, hours of a past that ends where the present began, and a crash that leaves its gap."""
    token, _ = await gate.login()
    async with gate.client(token) as client:
        for ticker in TICKERS:
            await client.put(f"/api/v2/subscriptions/{ticker}")
        for ticker, hours in HOURS.items():
            first = await first_row(client, ticker)
            fill_past(
                gate.database,
                ticker=ticker,
                price=first["price"],
                until_ms=first["timestamp"] - 1000,
                hours=hours,
                step_s=2,
                kind="index" if "_" in ticker else "perpetual",
            )
    await gate.kill()
    await gate.start()


async def of_the_page(browser: Browser, gate: Gateway) -> None:
    """On a desk in the dark, and in Russian by day; and on a phone."""
    for name, theme, language, size, ticker, length, tab in (
        ("page", "dark", "en-US", None, "btc_usd", "5", "log"),
        ("page-light", "light", "ru-RU", None, "BTC-PERPETUAL", "S", "fields"),
        ("page-phone", "light", "en-US", PHONE, "eth_usd", "15", "gaps"),
    ):
        async with opened(browser, gate.url, theme=theme, language=language, size=size) as (page, _):
            await enter(page)
            await page.locator(f'.card[data-ticker="{ticker}"] .card-open').click()
            await page.locator("#more-lengths").select_option(length)
            await page.locator(f"#tab-{tab}").click()
            await page.wait_for_timeout(SETTLED_MS if length == "S" else SETTLED_MS / 5)
            await page.evaluate("() => document.activeElement.blur()")
            await page.mouse.move(0, 0)
            await page.screenshot(path=FOLDER / f"{name}.png", full_page=size is not None)


async def of_the_operator(browser: Browser, gate: Gateway) -> None:
    """Somebody else reads meanwhile."""
    _, key, _ = await gate.run("keys", "create", "of a picture")
    async with opened(browser, gate.url) as (reader, _), opened(browser, f"{gate.url}/operator") as (page, _):
        await enter(reader)
        await page.locator("#api-key").fill(key.strip())
        await page.keyboard.press("Enter")
        await page.locator(".timeline-row").first.wait_for(timeout=30_000)
        await page.wait_for_timeout(SETTLED_MS)
        await page.screenshot(path=FOLDER / "operator.png", full_page=True)


async def main() -> None:
    """All of them, in less than two minutes."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        async with gateway(Path(folder)) as gate, chromium() as browser:
            await prepare(gate)
            await of_the_page(browser, gate)
            await of_the_operator(browser, gate)
    print(f"{len(list(FOLDER.glob('*.png')))} pictures in {time.monotonic() - began_s:.0f} s")  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main())
