"""The pages of docs/ do what they say: every block of code in them runs, in the order of the page, or it is named here
with the test that guards it.
"""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import websockets
import yaml

from __tests__.backplane.redis_server import free_port
from __tests__.journeys.front import NGINX
from __tests__.journeys.gateway import Gateway, reading
from __tests__.journeys.pages import INDENTED, ROOT, Block, blocks_of, pages, run

pytestmark = pytest.mark.asyncio(loop_scope="module")

RUN = {"bash", "python", "js"}
PAGES = ["docs/tutorial.md", "docs/how-to.md", "docs/jobs.md"]
SIMULATOR = "docs/simulator.md"
DEPLOYMENT = "__tests__/deployment/test_pages.py"
UPDATES = "__tests__/journeys/test_behind_nginx_updates.py"
README = "__tests__/journeys/test_readme.py"
HERE = "__tests__/journeys/test_documents.py"
# What does not run as it stands: a page, how the block begins, and the test that guards what it says.
ELSEWHERE = {
    ("ARCHITECTURE.md", "workers   cli"): "scripts/check_rules.py::",  # a drawing; `make check` holds the directions
    ("README.md", "(umask 077"): f"{DEPLOYMENT}::test_the_first_start_makes_a_deployment_that_works",
    ("README.md", "make run"): f"{README}::test_the_first_two_commands",
    # Where any block is named, the test takes all of them, and fails for one more.
    ("README.md", ""): f"{README}::test_the_code_of_the_readme",
    ("README.ru.md", ""): f"{README}::test_both_languages_have_the_same_content",
    ("docs/deployment.md", "(umask 077"): f"{DEPLOYMENT}::test_the_first_start_makes_a_deployment_that_works",
    ("docs/deployment.md", "COMPOSE_PROFILES="): f"{DEPLOYMENT}::test_the_pages_name_settings_that_exist",
    ("docs/deployment.md", "install -d"): "__tests__/deployment/test_nginx.py::test_the_other_door_speaks_tls",
    ("docs/deployment.md", "docker compose build"): f"{UPDATES}::test_an_update_loses_neither_data_nor_streams",
    ("docs/deployment.md", "docker compose exec -T postgres pg_dump"): f"{UPDATES}::test_a_backup_is_what_comes_back",
    ("docs/deployment.md", "docker compose stop"): f"{UPDATES}::test_a_backup_is_what_comes_back",
    ("docs/how-to.md", "location = "): f"{HERE}::test_nginx_takes_what_the_page_proposes",
    ("docs/performance.md", "make bench"): f"{HERE}::test_what_is_to_be_made_can_be_made",
    (
        "docs/postgresql.md",
        "database: ",
    ): "__tests__/test_cli.py::test_it_tells_the_address_of_the_server_without_its_password",
    ("docs/postgresql.md", "SELECT"): "__tests__/journeys/test_postgres.py::test_a_trial_is_copied_while_it_runs",
    ("docs/postgresql.md", "cryptomarket copy-database"): (
        "__tests__/journeys/test_postgres.py::test_a_trial_is_copied_while_it_runs"
    ),
    ("docs/redis.md", "redis-cli HGET"): (
        "__tests__/backplane/test_keys.py::test_the_latest_of_a_ticker_is_where_the_page_looks"
    ),
    ("docs/reference/commands.md", "cryptomarket "): "__tests__/terminal/test_examples.py::",
    (SIMULATOR, ""): f"{HERE}::test_the_simulator_is_used_as_its_page_says",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gate(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    """One gateway, which has heard prices of all tickers that the pages ask for."""
    running = Gateway(tmp_path_factory.mktemp("documents"))
    await running.start()
    try:
        token, _ = await running.login()
        async with reading(running, token, tickers="btc_usd,eth_usd") as reader:
            await reader.until(
                lambda told: {tick["ticker"] for tick in told.named("message")} == {"btc_usd", "eth_usd"}
            )
        yield running
    finally:
        await running.stop()


@pytest.mark.parametrize("page", PAGES)
async def test_every_block_runs(page: str, gate: Gateway, tmp_path: Path) -> None:
    """Promise: whoever copies a page from top to bottom gets what it says, and each block says something."""
    for block in blocks_of(page):
        if block.language in RUN:
            assert await run(block, gate, tmp_path), block.code


async def test_no_block_is_left_out() -> None:
    """Promise: each block of each page, fenced or indented, is run, or named with a test that exists; nothing is named
    that stands on no page any more.
    """
    named = dict.fromkeys(ELSEWHERE, 0)
    for page in pages():
        for block in blocks_of(page):
            if page in PAGES and block.language in RUN:
                continue
            found = [name for name in named if name[0] == page and block.code.lstrip().startswith(name[1])]
            assert found, f"{page}: nobody runs this:\n{block.code}"
            named[max(found, key=lambda name: len(name[1]))] += 1
    assert [name for name, count in named.items() if not count] == []
    for where in ELSEWHERE.values():
        path, _, test = where.partition("::")
        assert f"def {test}" in (ROOT / path).read_text(), where


async def test_a_block_that_nobody_runs_would_be_seen(tmp_path: Path) -> None:
    """Promise: fenced or indented, with or without a language, first or last: a block is one."""
    page = tmp_path / "page.md"
    page.write_text(
        "# A\n\n    one\n\n      two\n\ntext\n\n```\nthree\n```\n\n```sh\nfour\n```\n\n- item\n  goes on\n\n    five\n"
    )
    assert blocks_of(str(page)) == [
        Block(INDENTED, "one\n\n  two\n"), Block("", "three\n"), Block("sh", "four\n"), Block(INDENTED, "five\n")
    ]  # fmt: skip


async def test_what_is_to_be_made_can_be_made() -> None:
    """Promise: the benchmarks, which take minutes and are not run here, are targets of the Makefile."""
    [block] = blocks_of("docs/performance.md")
    lines = [line.partition("#")[0] for line in block.code.splitlines() if line.startswith("make ")]
    for line in lines:
        words = ["bash", "-c", f"{line} --dry-run"]
        done = await asyncio.to_thread(subprocess.run, words, cwd=ROOT, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stderr
        assert "-m benchmarks" in done.stdout
    assert len(lines) == 4


async def test_nginx_takes_what_the_page_proposes(tmp_path: Path) -> None:
    """Promise: the proposed location is one that nginx understands."""
    [block] = [block for block in blocks_of("docs/how-to.md") if block.language == "nginx"]
    server = f"server {{ listen unix:{tmp_path}/socket; {block.code} }}"
    (tmp_path / "nginx.conf").write_text(f"pid {tmp_path}/pid;\nevents {{}}\nhttp {{ access_log off; {server} }}\n")
    words = [NGINX, "-t", "-q", "-e", "stderr", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]
    done = await asyncio.to_thread(subprocess.run, words, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")


class MyClient:
    """The client of somebody who tests it against the simulator."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.connection: websockets.ClientConnection | None = None

    async def subscribe(self) -> None:
        """Subscribes the channel that the page counts."""
        self.connection = await websockets.connect(self.url)
        channels = {"channels": ["deribit_price_index.btc_usd"]}
        request = {"jsonrpc": "2.0", "id": 1, "method": "public/subscribe", "params": channels}
        await self.connection.send(json.dumps(request))
        await self.connection.recv()


async def test_the_simulator_is_used_as_its_page_says(gate: Gateway, tmp_path: Path) -> None:
    """Promise: started as a CI job starts it, in a test of one's own, and with faults by curl: as the page has it, but
    for the port, the installation, and what `...` stands for.
    """
    by_hand, in_ci, in_a_test, faults = blocks_of(SIMULATOR)
    begun, told = by_hand.code.splitlines()
    assert told == "simulator listening on ws://127.0.0.1:8004/ws/api/v2"
    [install, start, wait] = yaml.safe_load(in_ci.code)[0]["run"].splitlines()
    assert install.startswith("pip install ./cryptomarket ")
    assert start.startswith(begun.partition("#")[0].strip())
    port = str(free_port())
    asked = "curl http://127.0.0.1:8004/simulator/faults"
    script = f"{start}\ntrap 'kill $!' EXIT\n{wait}\ncat simulator.log\n{faults.code}echo\n{asked}".replace(
        "8004", port
    )
    done = await run(Block("bash", script), gate, tmp_path)
    assert done.startswith(told.replace("8004", port))
    assert [fault["kind"] for fault in json.loads(done.splitlines()[-1])["faults"]] == ["silence", "drop"]
    scope: dict[str, object] = {"MyClient": MyClient}
    exec(in_a_test.code.replace("        ...\n", "        await client.subscribe()\n"), scope)  # noqa: S102 - our page
    await scope["test_my_client"]()  # type: ignore[operator]  # what the page defines
