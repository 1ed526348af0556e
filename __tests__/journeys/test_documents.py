"""The pages of docs/ do what they say: every block of code in them runs, in the order of the page."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from __tests__.journeys.gateway import Gateway, gateway, reading
from __tests__.journeys.pages import ROOT, blocks_of, run

pytestmark = pytest.mark.asyncio(loop_scope="module")

RUN = {"bash", "python", "js"}
# What is started from the Makefile, what a configuration looks like, and what is shown, is tested where it belongs.
NOT_RUN = {"sh", "nginx", "yaml", "", "text", "sql", "json"}
# Its code is that of tests, and stands in __tests__/simulator/; the deployment's commands are those of the tests of it.
ELSEWHERE = {"docs/simulator.md", "docs/deployment.md", "docs/postgresql.md"}
PAGES = ["docs/tutorial.md", "docs/how-to.md"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gate(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    """One gateway, which has heard prices of all tickers that the pages ask for."""
    async with gateway(tmp_path_factory.mktemp("documents")) as running:
        token, _ = await running.login()
        async with reading(running, token, tickers="btc_usd,eth_usd") as reader:
            await reader.until(
                lambda told: {tick["ticker"] for tick in told.named("message")} == {"btc_usd", "eth_usd"}
            )
        yield running


@pytest.mark.parametrize("page", PAGES)
async def test_every_block_runs(page: str, gate: Gateway, tmp_path: Path) -> None:
    """Promise: whoever copies a page from top to bottom gets what it says, and each block says something."""
    ran = 0
    for block in blocks_of(page):
        assert block.language in RUN | NOT_RUN
        if block.language in RUN:
            assert await run(block, gate, tmp_path), block.code
            ran += 1
    assert ran >= 4


async def test_no_page_is_left_out() -> None:
    """Promise: a new page with code to run is run, too."""
    pages = {str(path.relative_to(ROOT)) for path in ROOT.glob("docs/**/*.md")}
    coded = {page for page in pages if any(block.language in RUN for block in blocks_of(page))}
    assert coded - ELSEWHERE == set(PAGES)
