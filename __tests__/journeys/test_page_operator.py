"""The operator's page in a real browser."""

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from __tests__.journeys.browser import PHONE, chromium, enter, opened, violations
from __tests__.journeys.gateway import Gateway, gateway
from __tests__.journeys.witness import comes_true

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gate(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    """A gateway that was killed once, so that something was missed."""
    async with gateway(tmp_path_factory.mktemp("operator")) as running:
        token, _ = await running.login()
        async with running.client(token) as client:
            await client.put("/api/v2/subscriptions/BTC-PERPETUAL")

            async def stored() -> bool:
                return bool((await client.get("/api/v2/ticks/btc_usd?limit=1")).json()["count"])

            await comes_true(stored)
        await running.kill()
        await running.start()
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """One browser for all."""
    async with chromium() as running:
        yield running


async def sign_in(page: Page, key: str) -> None:
    """By a key of the gateway."""
    await page.locator("#api-key").fill(key)
    await page.keyboard.press("Enter")


async def key_of(gate: Gateway) -> str:
    """A new operator's key."""
    status, key, complaint = await gate.run("keys", "create", "of a browser")
    assert status == 0, complaint
    return key.strip()


async def test_an_operator_sees_what_the_gateway_does(gate: Gateway, browser: Browser) -> None:
    """Promise: ten sessions with owner and state, channels held against wanted, credits, lag, readers, the timeline of
    gaps, and jobs where there are any; drawn anew while somebody looks, without a complaint or another host.
    """
    async with gate.client(await gate.operator()) as client:
        started = (await client.post("/workers/tasks/check_health")).json()

        async def done() -> bool:
            return bool((await client.get(f"/workers/tasks/{started['task_id']}")).json()["state"] == "succeeded")

        await comes_true(done)
    async with opened(browser, f"{gate.url}/operator") as (page, witness):
        await sign_in(page, await key_of(gate))
        await page.locator(".slot").nth(9).wait_for()
        assert await page.locator(".slot").count() == 10
        assert await page.locator(".slot .slot-owner", has_text="free").count() == 0
        await page.locator('.tile[data-figure="sessions"] .tile-value', has_text="10").wait_for()
        for figure in ("channels", "credits", "streams", "slow", "lag", "gaps"):
            assert await page.locator(f'.tile[data-figure="{figure}"] .tile-value').inner_text() != ""
        await page.locator(".channel", has_text="btc_usd").wait_for()
        await page.locator('.timeline-row[data-ticker="btc_usd"] rect[data-cause="restart"]').first.wait_for(
            state="attached", timeout=20_000
        )
        assert await page.locator("#api-key").input_value() == ""
        row = page.locator("#jobs-body tr[data-state=succeeded]", has_text="check_health").first
        await row.wait_for()
        name, state, began, took, result = await row.locator("td").all_inner_texts()
        assert (name, state) == ("check_health", "succeeded")
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", began)
        assert re.match(r"\d", took)
        assert result.startswith("{")
        meters = await page.locator(".slot meter").evaluate_all("(all) => all.map((each) => [each.value, each.max])")
        assert {most for _, most in meters} == {sum(value for value, _ in meters)}, "a slot's share of all channels"
        looks = sum(url.endswith("/api/v2/operation") for url in witness.asked)
        async with page.expect_response("**/api/v2/operation"):
            pass
        assert sum(url.endswith("/api/v2/operation") for url in witness.asked) > looks
        await page.get_by_role("button", name="Sign out").click()
        await page.locator("#door").wait_for()
    assert witness.complaints == []
    assert witness.hosts == {gate.url.removeprefix("http://")}


async def test_nobody_else_does(gate: Gateway, browser: Browser) -> None:
    """Promise: a person is told that he is no operator, and sees nothing."""
    async with opened(browser, gate.url) as (page, _witness):
        await enter(page)
        await page.goto(f"{gate.url}/operator")
        await page.locator("#sign-in-wrong", has_text="no operator").wait_for()
        assert await page.locator("#desk").is_hidden()
        assert await page.locator(".slot").count() == 0
        await sign_in(page, "cmk_aaaaaaaaaaaa_" + "0" * 64)
        await page.locator("#sign-in-wrong", has_text="not known").wait_for()


@pytest.mark.parametrize(("theme", "language", "size"), [("dark", "ru-RU", None), ("light", "en-US", PHONE)])
async def test_it_is_for_everybody(
    gate: Gateway, browser: Browser, theme: str, language: str, size: dict[str, int] | None
) -> None:
    """Promise: an accessibility scan finds nothing, and nothing sticks out of the screen."""
    key = await key_of(gate)
    async with opened(browser, f"{gate.url}/operator", theme=theme, language=language, size=size) as (page, witness):
        await page.locator("#door").wait_for()
        assert await violations(page) == []
        await sign_in(page, key)
        await page.locator(".slot").nth(9).wait_for()
        await page.locator(".timeline-row").first.wait_for(timeout=20_000)
        assert await violations(page) == []
        wide = await page.evaluate("() => [document.documentElement.scrollWidth, innerWidth]")
        assert wide[0] <= wide[1]
        await page.locator("#theme").click()
        await page.locator("#language").click()
        assert await violations(page) == []
    assert witness.complaints == []
