"""The operator's page in a real browser."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Route

from __tests__.journeys.browser import PHONE, assert_signing_out_is_true, chromium, enter, opened, violations
from __tests__.journeys.gateway import Gateway, Json
from __tests__.journeys.light import light_reader
from __tests__.journeys.scaled import operation
from __tests__.journeys.witness import comes_true, scene
from cryptomarket.simulator.options import SimulatorOptions

pytestmark = pytest.mark.asyncio(loop_scope="module")

RUSH = SimulatorOptions(port=0, rate=200)
SETTINGS = {
    "pool_size": "10",
    "stream_backlog_bytes": "1024",
    "stream_farewell_s": "0.1",
    "demand_linger_s": "600",
    # Where a machine stands still for a second, a feed would be stale, and the page would be told 503, as it should.
    "index_silence_s": "4",
    "instrument_silence_s": "4",
}
SMALL_BUFFER_BYTES = 4096
READ = "BTC-PERPETUAL,ETH-PERPETUAL"
SAVED = ("BTC-PERPETUAL", "ltc_usdc")
SILENT, LEFT, REFUSED = "ltc_usdc", "sol_usdc", "xrp_usdc"
# Everything that the page shows of the gateway, as a person reads it.
SHOWN = """() => {
    const all = (selector, shown) => [...document.querySelectorAll(selector)].map(shown);
    const text = (element, ...parts) => parts.map((part) => element.querySelector(part).textContent);
    return {
        tiles: Object.fromEntries(all(".tile", (tile) => [
            tile.dataset.figure, [...text(tile, ".tile-value", ".tile-more"), tile.dataset.bad]])),
        slots: all(".slot", (slot) =>
            text(slot, ".slot-name", ".slot-purpose", ".state", ".slot-owner", ".slot-channels")),
        meters: all(".slot meter", (meter) => [meter.value, meter.max]),
        since: all(".slot-since", (since) => since.textContent),
        channels: all(".channel", (channel) => [channel.firstChild.textContent, channel.dataset.how]),
        count: document.getElementById("demand-count").textContent,
        parts: all(".part", (part) => [...text(part, ".state", ".part-detail"), part.dataset.ready]),
        gaps: all(".timeline-row rect", (bar) => [
            bar.closest(".timeline-row").dataset.ticker, bar.textContent, bar.getAttribute("x"),
            bar.getAttribute("width")]),
        jobs: all("#jobs-body tr", (row) => [...row.cells].map((cell) => cell.textContent)),
    };
}"""
PURPOSES = {"data": "market data", "login": "logins"}
PARTS = {"exchange": "Exchange", "bus": "Bus", "database": "Database", "writer": "Writer", "jobs": "Jobs"}
CAUSES = {
    "restart": "restart of the gateway",
    "silence": "silence of the exchange",
    "disconnect": "connection to the exchange lost",
}
SECONDS = {"sec": 1, "min": 60, "hr": 3600}
LOOK_S, LOOKS = 0.1, 10
THINNEST, WIDTH = 3, 1000
"""Of a bar of the timeline, and of the timeline."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gate(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    """A gateway with something of everything: it was killed once, a feed is silent, the exchange refuses a ticker, and
    another is held though nobody wants it any more; one reader was let go, and one is behind; a job has run.
    """
    async with scene(tmp_path_factory.mktemp("operator"), SETTINGS, market=RUSH) as running:
        gate = running.gate
        token, _ = await gate.login()
        async with gate.client(token) as client:
            for ticker in SAVED:
                await client.put(f"/api/v2/subscriptions/{ticker}")

            async def stored() -> bool:
                pages = [(await client.get(f"/api/v2/ticks/{ticker}?limit=1")).json() for ticker in SAVED]
                return all(page["count"] for page in pages)

            await comes_true(stored)
            await gate.kill()
            await gate.start()
        operator = await gate.operator()
        stuck = []
        async with gate.client(token) as client:
            for mode in ("all", "latest"):
                reader = await light_reader(
                    gate, token, {"tickers": READ, "mode": mode}, buffer_bytes=SMALL_BUFFER_BYTES
                )
                stuck.append(reader)
                await reader.until_told("message", 5)
                reader.stop_reading()
            await client.put(f"/api/v2/subscriptions/{LEFT}")

            async def is_held() -> bool:
                return LEFT in (await operation(gate, operator))["held"]

            async def all_is_heard() -> bool:
                now = await operation(gate, operator)
                return set(now["wanted"]) <= set(now["held"]) and now["gaps_open"] == 0

            await comes_true(is_held)
            # The page shows whatever was heard before somebody looks.
            await comes_true(all_is_heard)
            await client.delete(f"/api/v2/subscriptions/{LEFT}")
            await gate.fault(
                {"kind": "silence", "channels": [f"deribit_price_index.{SILENT}"]},
                {
                    "kind": "refuse",
                    "methods": ["public/subscribe"],
                    # That of the silent one is subscribed anew, when patience is lost.
                    "channels": [f"deribit_price_index.{ticker}" for ticker in (SILENT, REFUSED)],
                    "code": -32602,
                },
            )
            await client.put(f"/api/v2/subscriptions/{REFUSED}")
        async with gate.client(operator) as client:
            started = (await client.post("/workers/tasks/check_health")).json()

            async def done() -> bool:
                return bool((await client.get(f"/workers/tasks/{started['task_id']}")).json()["state"] == "succeeded")

            async def is_ready() -> bool:
                return (await client.get("/ready")).is_success

            await comes_true(done)
            # A page that is told 503 complains of it, and rightly.
            await comes_true(is_ready)
        yield gate
        for reader in stuck:
            reader.leave()


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


@asynccontextmanager
async def standing_still(page: Page) -> AsyncIterator[dict[str, Json]]:
    """The page from its beginning, as of the first answer that it gets at each address; those are given, by path. Until
    the block ends it hears of no other.
    """
    told: dict[str, Json] = {}
    is_over = asyncio.Event()

    async def answer(route: Route) -> None:
        path = urlsplit(route.request.url).path
        if path in told:
            await is_over.wait()
        fetched = await route.fetch()
        told.setdefault(path, await fetched.json())
        await route.fulfill(response=fetched)

    pattern = re.compile(r"/(api/v2/operation|api/v2/operation/gaps|workers/tasks|ready)(\?.*)?$")
    await page.route(pattern, answer)
    try:
        await page.reload()
        await page.locator(".slot").nth(9).wait_for()
        yield told
    finally:
        is_over.set()
        await page.unroute(pattern, answer)


async def has_everything(gate: Gateway, operator: str) -> bool:
    """Whether what the gateway was brought to is true by now."""
    now = await operation(gate, operator)
    readers, held = now["streams"]["slow"] == now["streams"]["behind"] == 1, set(now["held"])
    return readers and now["gaps_open"] == 1 and LEFT in held and not {SILENT, REFUSED} & held


async def keeps_everything(gate: Gateway, operator: str) -> bool:
    """Whether it also stays so: a reader is behind for good once the kernel takes nothing more for him."""
    for _ in range(LOOKS):
        if not await has_everything(gate, operator):
            return False
        await asyncio.sleep(LOOK_S)  # sleep: between two looks at another process
    return True


def figures(told: Json) -> dict[str, list[str]]:
    """What the tiles must show of an answer: the figure, what stands below it, and whether it is marked as bad."""
    ready = sum(slot["session_state"] == "ready" for slot in told["slots"])
    missing, streams = set(told["wanted"]) - set(told["held"]), told["streams"]
    lag = max(0, int(told["log"]["head"].rpartition("-")[2]) - told["log"]["stored_up_to"])
    shown = {
        "sessions": (ready, "of 10", ready < 10),
        "channels": (len(told["held"]), f"{len(told['wanted'])} wanted", bool(missing)),
        "credits": (told["credits"], "", False),
        "streams": (streams["open"], f"{streams['behind']} behind", False),
        "slow": (streams["slow"], "since the start", streams["slow"] > 0),
        "lag": (lag, told["log"]["head"], False),
        "gaps": (told["gaps_open"], "", told["gaps_open"] > 0),
    }
    return {name: [f"{value:,}", more, str(is_bad).lower()] for name, (value, more, is_bad) in shown.items()}


def sessions(told: Json) -> list[list[str]]:
    """The same of the slots."""
    return [
        [
            str(slot["slot"]), PURPOSES[slot["purpose"]], slot["session_state"], slot["owner"],
            f"{slot['channels']} channel{'' if slot['channels'] == 1 else 's'}",
        ]
        for slot in told["slots"]
    ]  # fmt: skip


def channels(told: Json) -> list[list[str]]:
    """The same of the channels: wanted and held, wanted alone, held alone."""
    wanted, held = set(told["wanted"]), set(told["held"])
    how = {**dict.fromkeys(wanted - held, "missing"), **dict.fromkeys(held - wanted, "lingering")}
    return [[ticker, how.get(ticker, "held")] for ticker in sorted(wanted | held)]


def seconds(said: str) -> float:
    """A length of time as the page says it."""
    words = said.split()
    return sum(float(number) * SECONDS[unit] for number, unit in zip(words[::2], words[1::2], strict=True))


def moment(ms: int) -> str:
    """A time as the page says it."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(ms // 1000))


def check_gaps(shown: list[list[str]], told: Json) -> None:
    """Each gap is a bar of its ticker's row, in its place, and says when it was, for how long and why."""
    assert len(shown) == told["count"] == len(told["data"]) > 0
    start, length = told["start"], told["end"] - told["start"]
    expected = sorted(told["data"], key=lambda gap: (gap["ticker"].casefold(), -gap["from_ms"]))
    found = sorted(shown, key=lambda bar: (bar[0].casefold(), -float(bar[2])))
    for (ticker, words, x, width), gap in zip(found, expected, strict=True):
        left, right = [(gap[end] - start) / length * WIDTH for end in ("from_ms", "to_ms")]
        assert ticker == gap["ticker"]
        assert (float(x), float(width)) == pytest.approx((left, max(THINNEST, right - left)), abs=0.06)
        when, _, why = words.partition(" UTC: ")
        assert when == f"{moment(gap['from_ms'])} – {moment(gap['to_ms'])[11:]}"
        lasted, _, cause = why.partition(", ")
        assert cause == CAUSES[gap["cause"]]
        assert seconds(lasted) == pytest.approx((gap["to_ms"] - gap["from_ms"]) / 1000, abs=0.051)


def check_jobs(shown: list[list[str]], told: Json) -> None:
    """Each run in its row: what, how it stands, when it began, how long it took, and what came of it."""
    assert len(shown) == len(told["tasks"]) > 0
    for (name, state, began, took, result), run in zip(shown, told["tasks"], strict=True):
        assert (name, state, began) == (run["name"], run["state"], moment(run["started"]))
        assert seconds(took) == pytest.approx((run["finished"] - run["started"]) / 1000, abs=0.051)
        assert json.loads(result) == run["result"]


async def test_its_figures_are_those_of_the_gateway(gate: Gateway, browser: Browser) -> None:
    """Promise: sessions, owners, channels, credits, lag, readers, gaps and jobs are to the letter what the addresses
    for operators tell at that moment, and what really is: a gateway killed once, a reader let go, one behind, a feed
    that is silent, a ticker refused and one that lingers. Where the runs of jobs can't be told, it says why.
    """
    operator = await gate.operator()
    await comes_true(partial(keeps_everything, gate, operator))
    async with opened(browser, f"{gate.url}/operator") as (page, _witness):
        await sign_in(page, await key_of(gate))
        await page.locator(".slot").nth(9).wait_for()
        earlier = await operation(gate, operator)
        async with standing_still(page) as told:
            shown = await page.evaluate(SHOWN)
            later = await operation(gate, operator)
            now = told["/api/v2/operation"]
            for name in ("slots", "wanted", "held", "gaps_open", "streams"):
                assert earlier[name] == now[name] == later[name], f"{name} stands still"
            order = [int(each["log"]["head"].rpartition("-")[2]) for each in (earlier, now, later)]
            assert order == sorted(set(order)), "the log moves on"
            assert shown["tiles"] == figures(now)
            assert shown["slots"] == sessions(now)
            carried = [slot["channels"] for slot in now["slots"]]
            assert shown["meters"] == [[count, sum(carried)] for count in carried]
            for since, slot in zip(shown["since"], now["slots"], strict=True):
                assert 0 <= time.time() - slot["since_ms"] / 1000 - seconds(since) < 3
            assert shown["channels"] == channels(now)
            assert shown["count"] == f"{len(now['held'])} of {len(now['wanted'])}"
            parts = told["/ready"]["parts"].items()
            assert shown["parts"] == [[PARTS[name], part["detail"], str(part["ready"]).lower()] for name, part in parts]
            check_gaps(shown["gaps"], told["/api/v2/operation/gaps"])
            check_jobs(shown["jobs"], told["/workers/tasks"])
        away = "The database can't be reached."
        await page.route("**/workers/tasks", lambda route: route.fulfill(status=503, json={"detail": away}))
        await page.reload()
        await page.locator("#jobs-empty", has_text=away).wait_for(timeout=10_000)
        await page.locator('#link[data-state="open"]').wait_for()
    assert gate.process is not None
    assert {slot["owner"].partition("-")[0] for slot in now["slots"]} == {str(gate.process.pid)}
    assert {"missing", "lingering", "held"} == {how for _, how in channels(now)}
    assert {gap["ticker"] for gap in told["/api/v2/operation/gaps"]["data"]} >= set(SAVED)
    assert "check_health" in {run["name"] for run in told["/workers/tasks"]["tasks"]}


async def test_an_operator_sees_what_the_gateway_does(gate: Gateway, browser: Browser) -> None:
    """Promise: drawn anew while somebody looks, without a complaint or another host; the key is not kept; who signs out
    sees nothing more.
    """
    async with opened(browser, f"{gate.url}/operator") as (page, witness):
        await sign_in(page, await key_of(gate))
        await page.locator(".slot").nth(9).wait_for()
        assert await page.locator("#api-key").input_value() == ""
        looks = sum(url.endswith("/api/v2/operation") for url in witness.asked)
        head = page.locator('.tile[data-figure="lag"] .tile-more')
        before = await head.inner_text()
        await page.wait_for_function(
            "(before) => document.querySelector('.tile[data-figure=lag] .tile-more').textContent !== before", arg=before
        )
        assert sum(url.endswith("/api/v2/operation") for url in witness.asked) > looks
        await assert_signing_out_is_true(page, gate, "#link[data-state=open]")
    assert [text for text in witness.complaints if "ERR_FAILED" not in text] == [], "but for the way out that was shut"
    assert witness.hosts == {gate.url.removeprefix("http://")}


async def test_nobody_else_does(gate: Gateway, browser: Browser) -> None:
    """Promise: a person is told that he is no operator, sees nothing, and finds his prices as he left them."""
    async with opened(browser, gate.url) as (page, _witness):
        await enter(page)
        await page.goto(f"{gate.url}/operator")
        await page.locator("#sign-in-wrong", has_text="no operator").wait_for()
        assert await page.locator("#desk").is_hidden()
        assert await page.locator(".slot").count() == 0
        await page.goto(gate.url)
        await page.locator("#link[data-state=open]").wait_for()
        await page.goto(f"{gate.url}/operator")
        await sign_in(page, "cmk_aaaaaaaaaaaa_" + "0" * 64)
        await page.locator("#sign-in-wrong", has_text="not known").wait_for()


@pytest.mark.parametrize(("theme", "language", "size"), [("dark", "en-US", None), ("light", "ru-RU", PHONE)])
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
        wide = await page.evaluate("() => ((words) => [words.scrollWidth, words.clientWidth])(window['link-words'])")
        assert wide[0] <= wide[1], "the state of the connection is not cut off"
        bus = await page.locator(".part", has_text="Bus" if language == "en-US" else "Шина").inner_text()
        assert bus.split()[-1] == ("answers" if language == "en-US" else "отвечает")
        wide = await page.evaluate("() => [document.documentElement.scrollWidth, innerWidth]")
        assert wide[0] <= wide[1]
        await page.locator("#theme").click()
        await page.locator("#language").click()
        assert await violations(page) == []
    assert witness.complaints == []
