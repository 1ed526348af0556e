"""The live page before a deployment, whose server is killed under it."""

import asyncio
from pathlib import Path

import httpx
from playwright.async_api import Page

from __tests__.journeys.browser import chains_hold, chromium, ids_of, opened, told
from __tests__.journeys.gateway import Gateway
from __tests__.journeys.scaled import Deployment, deployment, in_front
from __tests__.journeys.witness import comes_true
from __tests__.postgres_server import PostgresServer

TICKERS = ("btc_usd", "BTC-PERPETUAL")
MISSED = 60
"""How many publications the page is away for, at least; the market makes some forty a second."""


def published(built: Deployment) -> list[str]:
    """The ids of everything that was published of these tickers, in order."""
    places = sorted(place for place, named in built.logged().items() if named[1] in TICKERS)
    return [f"{epoch}-{seq}" for epoch, seq in places]


async def sees_every_second(page: Page, client: httpx.AsyncClient) -> bool:
    """Whether the chart has a bar for each second in which there was a price, as history has them."""
    chart = page.locator("#chart")
    bars, first_s, last_s = [int(await chart.get_attribute(f"data-{name}") or 0) for name in ("bars", "first", "last")]
    times = {"start": first_s * 1000, "end": (last_s + 1) * 1000}
    answer = await client.get(f"/api/v2/ticks/{TICKERS[0]}", params={**times, "limit": 10_000})
    assert answer.status_code == 200, answer.text
    seconds = {row["timestamp"] // 1000 for row in answer.json()["data"]}
    return bars == len(seconds) > 5


async def goes_by(built: Deployment, publications: int) -> None:
    """Waits until so much more was published."""
    until = built.head() + publications
    await comes_true(lambda: built.head() > until)


async def sign_in(page: Page, front: Gateway) -> str:
    """As a person who has these tickers; a token of his."""
    token, _ = await front.login(2)
    async with front.client(token) as client:
        for ticker in TICKERS:
            assert (await client.put(f"/api/v2/subscriptions/{ticker}")).status_code == 201
    await page.get_by_role("button", name="demo-2", exact=True).click()
    await page.locator("#link[data-state=open]").wait_for()
    await page.locator(f'.card[data-ticker="{TICKERS[0]}"] .card-open').click()
    await page.wait_for_function("() => Number(document.getElementById('chart').dataset.bars) > 2")
    return token


# A note goes by itself, and may have gone before anybody looks.
NOTING = """() => {
    window.noted = [];
    new MutationObserver(() => noted.push(document.getElementById("notes").textContent))
        .observe(document.getElementById("notes"), { childList: true, subtree: true });
}"""


async def test_a_server_that_is_killed_and_comes_back_leaves_no_hole(tmp_path: Path, postgres: PostgresServer) -> None:
    """Promise: every process that serves readers is killed with SIGKILL and started again, behind a proxy that refuses
    meanwhile; the page comes back by itself with the last id it got, says that nothing is missing, and has the id of
    everything that was published meanwhile, once and in order; its chart has every second.
    """
    async with (
        deployment(tmp_path, postgres, "api1", "api2", "ingest1", "write1") as built,
        in_front(built, "api1", "api2") as front,
        chromium() as browser,
        opened(browser, front.url) as (page, witness),
    ):
        token = await sign_in(page, front)
        await page.wait_for_function("() => window.told.length > 20")
        await page.evaluate(NOTING)
        ports = {name: built[name].url.rpartition(":")[2] for name in ("api1", "api2")}
        async with page.expect_response(lambda answer: "/sse/" in answer.url and answer.status == 503):
            for name in ports:
                await built[name].kill()
            await page.locator("#link[data-state=lost]").wait_for()
        # Refused in the proxy's words, a browser's own EventSource has given up for good (HTML, 9.2.3).
        known = ids_of(await told(page))
        assert known[-1] in await page.locator("#link-words").inner_text(), "the id to come back with is told"
        await goes_by(built, MISSED)
        assert ids_of(await told(page)) == known
        await asyncio.gather(*(built.start(name, app_port=port) for name, port in ports.items()))
        await page.wait_for_function("() => noted.some((text) => text.includes('none missing'))", timeout=30_000)
        await page.locator("#link[data-state=open]").wait_for()
        assert await page.locator("#link").get_attribute("data-resume") == "complete"
        events = await told(page)
        first, *returns = [data["resume"] for name, _, data in events if name == "connected"]
        assert (first, set(returns)) == ("fresh", {"complete"})
        ids, there = ids_of(events), published(built)
        assert ids == there[there.index(ids[0]) : there.index(ids[-1]) + 1]
        assert len(ids) > len(known) + MISSED / 2
        assert chains_hold(events) == len(ids)
        assert await page.locator("#proof").get_attribute("data-holes") == "0"
        assert await page.locator("#gaps-count").inner_text() == ""
        async with front.client(token) as client:
            await comes_true(lambda: sees_every_second(page, client), within_s=30)
        assert witness.hosts == {front.url.removeprefix("http://")}
        await built.check_alive("api1", "api2", "ingest1", "write1")
