"""The live page in a real browser, as a trader meets it."""

import asyncio
import csv
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Route

from __tests__.journeys.black_hole import black_hole
from __tests__.journeys.browser import (
    BARS,
    PHONE,
    assert_signing_out_is_true,
    chains_hold,
    chromium,
    enter,
    fill_past,
    ids_of,
    ids_read,
    opened,
    subscribe,
    told,
    violations,
)
from __tests__.journeys.gateway import Gateway, gateway, reading
from __tests__.journeys.pictured import HAS_THE_DIGITS, HURRY, PEN, ROUND_AT_FIRST, assert_the_prices_are_those_told

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOURS = 9.0
SETTINGS = {"keep_alive_s": "1", "login_failures": "50"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gate(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    """One gateway for all, whose prices of bitcoin have a past."""
    async with gateway(tmp_path_factory.mktemp("page"), **SETTINGS) as running:
        now_ms = time.time_ns() // 1_000_000
        for ticker, kind, hours in (("btc_usd", "index", HOURS), ("BTC-PERPETUAL", "perpetual", 0.25)):
            fill_past(
                running.database,
                ticker=ticker,
                kind=kind,
                price=86_400,
                until_ms=now_ms - 60_000,
                hours=hours,
                step_s=3,
            )
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """One browser for all."""
    async with chromium() as running:
        yield running


async def bars(page: Page) -> int:
    """How many bars the chart has."""
    return int(await page.evaluate(BARS))


async def secrets_kept(page: Page) -> str:
    """Everything that scripts of the page could find again: address, storage, cookies, and what fields hold."""
    kept: str = await page.evaluate(
        """() => [location.href, document.cookie,
            JSON.stringify({...localStorage}), JSON.stringify({...sessionStorage}),
            ...[...document.querySelectorAll("input")].map((input) => input.value)].join("\\n")"""
    )
    return kept


async def assert_the_cards_are_right(page: Page, gate: Gateway, *tickers: str) -> None:
    """Whatever the ticker is: its change is measured from the first stored price of the last 24 hours, and the card
    says since when; its line begins before the page did; its age is that of a price that comes every second or so.
    """
    for ticker in tickers:
        await assert_the_card_is_right(page, gate, ticker)


async def assert_the_card_is_right(page: Page, gate: Gateway, ticker: str) -> None:
    """One of them."""
    card = f'.card[data-ticker="{ticker}"]'
    await page.wait_for_function(
        "(card) => document.querySelector(`${card} .spark-line`).getAttribute('points').split(' ').length > 50",
        arg=card,
    )
    token, _ = await gate.login()
    async with gate.client(token) as client:
        query = {"start": str(time.time_ns() // 1_000_000 - 86_400_000), "limit": "1"}
        [first] = (await client.get(f"/api/v2/ticks/{ticker}", params=query)).json()["data"]
    price, change, since, age = await page.evaluate(
        """(card) => [".card-price", ".change", ".change-since", ".card-age"].map(
            (part) => document.querySelector(`${card} ${part}`).textContent)""",
        card,
    )
    expected = (float(price.replace(",", "")) / first["price"] - 1) * 100
    assert abs(float(change.removesuffix("%")) - expected) < 0.011
    assert since == f"since {time.strftime('%H:%M', time.gmtime(first['timestamp'] / 1000))}"
    assert re.fullmatch(r"\d+\.\d sec", age)
    assert float(age.partition(" ")[0]) < 30


async def assert_the_log_shows_the_stream(page: Page) -> None:
    """Row by row, event, ticker and id are those that the stream told, newest first, none left out; no hole is seen."""
    assert await page.locator("#proof").get_attribute("data-holes") == "0"
    events, rows = await page.evaluate(
        """() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done([
            window.told.map(([name, id, data]) => [name, JSON.parse(data).ticker ?? "", id]),
            [...document.querySelectorAll("#log-body tr")].map((row) =>
                [1, 2, 4].map((cell) => row.cells[cell].textContent)),
        ]))))"""
    )
    named = {"message", "status", "gap", "snapshot"}
    shown = [row for row in rows if row[0] in named][::-1]
    heard = [event for event in events if event[0] in named]
    assert len(shown) > 10
    begin = heard.index(shown[0])
    assert heard[begin : begin + len(shown)] == shown
    assert len(heard) - begin - len(shown) <= 10, "what came since the last picture"


async def test_a_day_of_a_trader(gate: Gateway, browser: Browser, tmp_path: Path) -> None:
    """Promise: sign in by name, subscribe from the keyboard, see the price change and the chart grow, look back into
    history, take it along, cancel, and leave; with no complaint, no other host, and nothing asked again and again.
    """
    async with opened(browser, gate.url, scripts=[PEN, HURRY]) as (page, witness):
        await page.locator("#simulated", has_text="Simulated prices").wait_for(state="visible")
        await enter(page, "demo-2")
        await page.locator("#nothing").wait_for()
        await subscribe(page, "btc_usd", "BTC-PERPETUAL")
        card = page.locator('.card[data-ticker="btc_usd"]')
        shown = await card.locator(".card-price").inner_text()
        await page.wait_for_function(
            """([ticker, shown]) => document.querySelector(`.card[data-ticker="${ticker}"] .card-price`).textContent
               !== shown""",
            arg=["btc_usd", shown],
        )
        await card.locator(".state[data-state=live]").wait_for()
        await page.locator('.card[data-ticker="BTC-PERPETUAL"] .card-book', has_text="×").wait_for()
        await assert_the_cards_are_right(page, gate, "btc_usd", "BTC-PERPETUAL")

        await card.locator(".card-open").click()
        await page.locator("#stage[data-ticker=btc_usd]").wait_for()
        await page.wait_for_function("() => Number(document.getElementById('chart').dataset.bars) > 10")
        before = await bars(page)
        await page.wait_for_function(
            "(before) => Number(document.getElementById('chart').dataset.bars) > before", arg=before
        )

        await page.get_by_role("radio", name="1m").click()
        await page.wait_for_function(
            "() => ((bars) => bars > 300 && bars < 410)(Number(document.getElementById('chart').dataset.bars))"
        )
        first_s = int(await page.locator("#chart").get_attribute("data-first") or 0)
        await page.locator("#chart").focus()
        await page.keyboard.press("Home")
        await page.wait_for_function("() => Number(document.getElementById('chart').dataset.bars) > 420")
        earlier_s = int(await page.locator("#chart").get_attribute("data-first") or 0)
        assert first_s - earlier_s > 3600, "scrolling back brought what was before"
        assert abs(earlier_s - (time.time() - HOURS * 3600)) < 600, "as far as there is anything"

        await page.get_by_role("button", name="Export").click()
        await page.locator("label", has_text="24 hours").click()
        async with page.expect_download() as downloading:
            await page.get_by_role("button", name="Download").click()
        path = tmp_path / "export.csv"
        await (await downloading.value).save_as(path)
        rows = list(csv.DictReader(path.read_text().splitlines()))
        assert len(rows) > HOURS * 3600 / 3
        assert {row["ticker"] for row in rows} == {"btc_usd"}

        settled = len(witness.asked)
        await assert_the_prices_are_those_told(page, "btc_usd", "BTC-PERPETUAL")
        assert witness.asked[settled:] == [], "prices come by the stream: nothing is polled"
        await assert_the_log_shows_the_stream(page)

        await card.hover()
        await card.get_by_role("button", name="Cancel btc_usd").click()
        await card.wait_for(state="detached")
        await page.locator("#stage[data-ticker=BTC-PERPETUAL]").wait_for()
        await page.get_by_role("button", name="Sign out").click()
        await page.locator("#door").wait_for()
        await page.reload()
        await page.locator("#door").wait_for()
    assert witness.complaints == []
    assert witness.hosts == {gate.url.removeprefix("http://")}


async def test_a_key_pair_leaves_no_trace(gate: Gateway, browser: Browser) -> None:
    """Promise: a wrong pair is told in words; a right one enters, and is found nowhere in the page afterwards; who
    comes back later is still known, by a cookie that no script can read, even if the gateway cannot say so at once;
    who signs out is told so only when it is true.
    """
    async with opened(browser, gate.url) as (page, witness):
        await page.get_by_label("Client id").fill("demo-3")
        await page.get_by_label("Client secret").fill("not-the-secret")
        await page.keyboard.press("Enter")
        await page.locator("#sign-in-wrong", has_text="not known").wait_for()
        assert await page.get_by_label("Client secret").input_value() == ""
        assert [text for text in witness.complaints if "401" not in text] == []
        await page.get_by_label("Client secret").fill("demo-3-secret")
        await page.keyboard.press("Enter")
        await page.locator("#link[data-state=open]").wait_for()
        kept = await secrets_kept(page)
        assert "secret" not in kept
        assert "eyJ" not in kept, "no token"
        await page.reload()
        await page.locator("#link[data-state=open]").wait_for()
        await page.route("**/api/v2/me", lambda route: route.fulfill(status=503, json={}))
        await page.reload()
        await page.locator("#away", has_text="Trying again").wait_for()
        assert await page.locator("#door").is_hidden(), "nobody has said that he is not known"
        await page.unroute("**/api/v2/me")
        await page.locator("#link[data-state=open]").wait_for()
        assert not any("secret" in url or "eyJ" in url for url in witness.asked)
        await assert_signing_out_is_true(page, gate, "#link[data-state=open]")


async def test_a_connection_that_breaks_costs_nothing(gate: Gateway, browser: Browser) -> None:
    """Promise: the page comes back by itself, says how it went, and has every event of its tickers, once and in order;
    held against a reader whose connection did not break. After `kill -9` what could not be heard is shown as a gap.
    """
    token, _ = await gate.login(4)
    async with gate.client(token) as client:
        for ticker in ("btc_usd", "eth_usd"):
            assert (await client.put(f"/api/v2/subscriptions/{ticker}")).status_code == 201
    async with (
        black_hole(int(gate.url.rpartition(":")[2])) as way,
        opened(browser, f"http://127.0.0.1:{way.port}") as (page, _witness),
    ):
        await page.get_by_label("Client id").fill("demo-4")
        await page.get_by_label("Client secret").fill("demo-4-secret")
        await page.keyboard.press("Enter")
        await page.locator("#link[data-state=open]").wait_for()
        await page.wait_for_function("() => window.told.length > 8")
        async with reading(gate, token, tickers="btc_usd,eth_usd") as reader:
            await reader.until(lambda reader: len(ids_read(reader)) > 3)
            await way.cut()
            await page.locator("#link[data-state=lost]").wait_for()
            missed = len(ids_read(reader))
            await reader.until(lambda reader: len(ids_read(reader)) > missed + 6)
            way.mend()
            await page.locator("#link[data-state=open]").wait_for(timeout=15_000)
            await page.locator(".note", has_text="none missing").wait_for()
            assert await page.locator("#link").get_attribute("data-resume") == "complete"
            events = await told(page)
            chains_hold(events)
            ids, theirs = ids_of(events), ids_read(reader)
            common = theirs[: theirs.index(ids[-1]) + 1]
            assert ids[ids.index(common[0]) :] == common
            assert len(common) > missed + 6

        shown = await page.locator("#gaps-count").inner_text()
        await gate.kill()
        await page.locator("#link[data-state=lost]").wait_for()
        await gate.start()
        way.to_port = int(gate.url.rpartition(":")[2])
        await page.locator("#link[data-state=open]").wait_for(timeout=20_000)
        await page.locator(".note", has_text="did not reach back").wait_for()
        assert await page.locator("#link").get_attribute("data-resume") == "reset"
        await page.get_by_role("tab", name="Gaps").click()
        await page.locator("#gaps-body", has_text="restart of the gateway").wait_for()
        assert await page.locator("#gaps-count").inner_text() != shown
        before = len(await told(page))
        await page.wait_for_function("(before) => window.told.length > before + 5", arg=before)
        assert chains_hold(await told(page)) > 20
        assert await page.locator("#proof").get_attribute("data-holes") == "0"


@pytest.mark.parametrize(
    ("theme", "language", "size"),
    [("dark", "en-US", None), ("light", "ru-RU", None), ("light", "en-US", PHONE), ("dark", "ru-RU", PHONE)],
)
async def test_it_is_for_everybody(
    gate: Gateway, browser: Browser, theme: str, language: str, size: dict[str, int] | None
) -> None:
    """Promise: in both languages and both themes, on a desk and on a phone, an accessibility scan finds nothing, and
    nothing sticks out of the screen; the choice of language and theme is remembered.
    """
    async with opened(browser, gate.url, theme=theme, language=language, size=size) as (page, witness):
        await page.locator("#demo-names button").first.wait_for()
        assert await page.locator("html").get_attribute("lang") == language[:2]
        assert await page.locator("#exchange").is_visible(), "everybody sees which exchange is behind"
        assert await violations(page) == []
        await enter(page, "demo-1")
        await subscribe(page, *(["btc_usd", "ETH-PERPETUAL"] if await page.locator(".card").count() < 2 else []))
        await page.wait_for_function("() => Number(document.getElementById('chart').dataset.bars) > 0")
        await page.keyboard.press("Escape")
        for tab in ("log", "gaps", "fields"):
            await page.locator(f"#tab-{tab}").click()
            assert await violations(page) == [], tab
        await page.locator("#tab-gaps").click()
        wide = await page.evaluate("() => ((panel) => [panel.scrollWidth, panel.clientWidth])(window['panel-gaps'])")
        assert wide[0] <= wide[1], "every column of the gaps is in sight"
        await page.locator("#export").click()
        assert await violations(page) == []
        await page.keyboard.press("Escape")
        wide = await page.evaluate("() => [document.documentElement.scrollWidth, innerWidth]")
        assert wide[0] <= wide[1]
        await page.locator("#language").click()
        await page.locator("#theme").click()
        other = "en" if language.startswith("ru") else "ru"
        await page.reload()
        await page.locator("#link[data-state=open]").wait_for()
        assert await page.locator("html").get_attribute("lang") == other
        assert await page.locator("html").get_attribute("data-theme") == "light"
        # Scanned by the form of this test that begins so.
        assert await page.locator("#watch-title").inner_text() == ("Your tickers" if other == "en" else "Ваши тикеры")
    assert witness.complaints == []


async def test_it_is_used_without_a_mouse(gate: Gateway, browser: Browser) -> None:
    """Promise: every part is reached by Tab and shows that it has the focus; arrows move within lists, tabs and
    lengths; Delete cancels.
    """
    async with opened(browser, gate.url) as (page, _witness):
        await page.keyboard.press("Tab")
        assert await page.evaluate("() => document.activeElement.className") == "skip"
        await enter(page, "demo-3")
        await subscribe(page, "eth_usd", "ETH-PERPETUAL")
        await page.locator('.card[data-ticker="ETH-PERPETUAL"] .card-open').focus()
        await page.keyboard.press("ArrowDown")
        assert await page.evaluate("() => document.activeElement.textContent") == "eth_usd"
        outline = await page.evaluate("() => getComputedStyle(document.activeElement, '::after').outlineStyle")
        assert outline == "solid"
        await page.keyboard.press("Enter")
        await page.locator("#stage[data-ticker=eth_usd]").wait_for()
        await page.locator("#tab-log").focus()
        await page.keyboard.press("ArrowRight")
        assert await page.locator("#panel-gaps").is_visible()
        await page.locator("[role=radio][aria-checked=true]").focus()
        await page.keyboard.press("ArrowRight")
        assert await page.locator("[role=radio][aria-checked=true]").get_attribute("data-length") == "1"
        await page.locator('.card[data-ticker="eth_usd"] .card-open').focus()
        await page.keyboard.press("Delete")
        await page.locator('.card[data-ticker="eth_usd"]').wait_for(state="detached")
        await page.wait_for_function("() => document.activeElement.id === 'search'", timeout=10_000)


async def test_what_is_not_known_is_not_said_to_be_nothing(gate: Gateway, browser: Browser) -> None:
    """Promise: while the gateway has not said what was missed, or refuses to, the page says so, and nothing else; it
    asks again when it is told to, and keeps what it knows meanwhile. History that is refused is told of, too; the chart
    then begins with the first price that comes, and its labels have the digits of those that follow.
    """
    missed = {"from_ms": 1, "to_ms": 2, "cause": "silence", "state": "recorded"}
    asked = asyncio.Event()

    async def keep_waiting(route: Route) -> None:
        await asked.wait()
        await refuse(route)

    async def refuse(route: Route) -> None:
        await route.fulfill(status=503, json={})

    async def tell(route: Route) -> None:
        await route.fulfill(json={"data": [missed]})

    async with opened(browser, gate.url, scripts=[PEN, ROUND_AT_FIRST]) as (page, _witness):
        words, rows = page.locator("#gaps-words"), page.locator("#gaps-body tr")
        await page.route("**/api/v2/ticks/**", refuse)
        await page.route("**/api/v2/gaps/**", keep_waiting)
        await enter(page, "demo-3")
        await subscribe(page, "xrp_usdc")
        await page.locator("#stage[data-ticker=xrp_usdc]").wait_for()
        await page.locator("#chart-refused", has_text="could not be loaded").wait_for()
        await page.wait_for_function(HAS_THE_DIGITS)
        await page.locator("#tab-gaps").click()
        assert await words.inner_text() == "Asking what was missed…"
        asked.set()
        await page.locator("#gaps-words[data-state=unknown]").wait_for()
        assert "not known" in await words.inner_text()
        assert await violations(page) == []
        await page.unroute("**/api/v2/gaps/**")
        await page.locator("#gaps-again").click()
        await page.locator("#gaps-words[data-state=known]", has_text="Nothing of this ticker was missed").wait_for()

        await page.route("**/api/v2/me", lambda route: route.abort())
        await page.get_by_role("button", name="Export").click()
        await page.get_by_role("button", name="Download").click()
        await page.locator(".note[data-mood=bad]", has_text="does not answer").wait_for()

        for answer in (tell, refuse):
            await page.route("**/api/v2/gaps/**", answer)
            await page.evaluate("document.getElementById('gaps-again').click()")
            await rows.first.wait_for()
        await page.locator("#gaps-words[data-state=unknown]").wait_for()
        assert await rows.count() == 1

        await page.unroute("**/api/v2/ticks/**")
        await page.locator("#chart-again").click()
        await page.locator("#chart-refused").wait_for(state="hidden")
