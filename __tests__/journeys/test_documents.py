"""The pages of docs/ do what they say: every block of code in them runs, in the order of the page, or it is named here
with the test that guards it.
"""

import asyncio
import json
import re
import subprocess
from collections.abc import AsyncIterator
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import pytest_asyncio
import websockets
import yaml

from __tests__.backplane.redis_server import free_port
from __tests__.journeys.front import NGINX
from __tests__.journeys.gateway import Gateway, exact, reading
from __tests__.journeys.pages import INDENTED, ROOT, Block, blocks_of, pages, run

pytestmark = pytest.mark.asyncio(loop_scope="module")

RUN = {"bash", "python", "js"}
SIMULATOR = "docs/simulator.md"
DEPLOYMENT = "__tests__/deployment/test_pages.py"
UPDATES = "__tests__/journeys/test_behind_nginx_updates.py"
README = "__tests__/journeys/test_readme.py"
HERE = "__tests__/journeys/test_documents.py"
# What does not run as it stands: a page, how the block begins, and the test that guards what it says.
ELSEWHERE = {
    ("ARCHITECTURE.md", "workers   cli"): f"{HERE}::test_the_drawing_has_every_room",
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
    (
        "docs/reference/commands.md",
        "cryptomarket ",
    ): "__tests__/terminal/test_examples.py::test_every_example_can_be_parsed",
    (SIMULATOR, ""): f"{HERE}::test_the_simulator_is_used_as_its_page_says",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gate(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    """One gateway, which has heard prices of all tickers that the pages ask for, and in which no job runs that the
    pages tell of as one that has not.
    """
    running = Gateway(tmp_path_factory.mktemp("documents"), {"CHECK_HEALTH_S": "0"})
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


def check_kept(path: Path) -> None:
    """What was kept in two runs is one chain: each event of the ticker names the one before it."""
    events = [exact(line) for line in path.read_text().splitlines()]
    chain = [event for event in events if event["event"] in {"message", "status", "gap"}]
    assert len(chain) > 6 - 1
    for before, after in pairwise(chain):
        assert after["prev_seq"] == before["seq"]


async def check_tutorial(said: list[str], gate: Gateway, folder: Path) -> None:
    """Lines with ids, six messages in two runs, rows as they are stored, a file that came whole, a frame."""
    looked, kept, past, frame, reacted = said
    assert re.match(r"u_\w+ is logged in at \S+ for 24 h; kept in \S+/tokens\.json\n", looked)
    assert "exchange simulator, simulated prices\n" in looked
    assert re.search(r"^  logged in as demo-1 \(u_\w+\)$", looked, re.MULTILINE)
    lines = [exact(line) for line in looked.splitlines() if line.startswith("{")]
    happened = [line for line in lines if line["event"] != "snapshot"]
    assert [line["event"] for line in happened].count("message") == 3
    assert all(line["id"].endswith(f"-{line['seq']}") for line in happened)
    assert kept == "6\n"
    check_kept(folder / "btc.jsonl")
    async with gate.client((await gate.login())[0]) as client:
        stored = exact((await client.get("/api/v2/ticks/btc_usd?limit=5")).text)["data"]
    shown = re.findall(r"^│ (\d+) │ ([\d.]+) +│ +│ +│ (\S+) +│$", past, re.MULTILINE)
    assert [(int(ms), Decimal(price), id_) for ms, price, id_ in shown] == [
        (row["timestamp"], row["price"], row["position"]) for row in stored
    ]
    candle = re.search(
        r"^btc_usd  open (\S+)  high (\S+)  low (\S+)  close (\S+)  open still  \d+ candles?$", past, re.MULTILINE
    )
    assert candle, past
    first, high, low, last = map(Decimal, candle.groups())
    assert low <= min(first, last) <= max(first, last) <= high
    exported = re.search(r"^btc\.parquet: (\d+) rows, .*sha256 [0-9a-f]{64}$", past, re.MULTILINE)
    assert exported
    assert pq.read_table(folder / "btc.parquet").num_rows == int(exported[1]) >= 6
    [framed] = [block.code for block in blocks_of("docs/tutorial.md") if "pd.DataFrame" in block.code]
    assert len([line for line in framed.splitlines() if line]) <= 10, "ten lines to a frame"
    told = {name: float(value) for name, value in re.findall(r"^(\w+%?) +([\d.]+)$", frame, re.MULTILINE)}
    assert told["count"] >= int(exported[1])
    assert 80_000 < told["min"] <= told["25%"] <= told["50%"] <= told["75%"] <= told["max"] < 90_000
    *doubts, end = reacted.splitlines()
    assert end == "twenty ticks"
    assert all(re.match(r"believe it less: (Gap|Status)\(ticker='(btc_usd|BTC-PERPETUAL)'", doubt) for doubt in doubts)


async def check_recipes(said: list[str], _gate: Gateway, folder: Path) -> None:
    """Orders that alternate, the newest price of both cells, and in DuckDB all rows of both files."""
    traded, cells, exported, table, minutes = said
    orders = re.findall(r"^(buy|sell) BTC-PERPETUAL [\d.]+ at \w+-\d+$", traded, re.MULTILINE)
    assert len(orders) == len(traded.splitlines()) > 0
    assert all(one != other for one, other in pairwise(orders))
    assert set(re.findall(r"(\w+): [\d.]+", cells.splitlines()[-1])) == {"btc_usd", "eth_usd"}
    counts = dict(re.findall(r"^lake/(\w+)\.parquet: (\d+) rows, .*sha256 [0-9a-f]{64}$", exported, re.MULTILINE))
    assert {name: str(pq.read_table(folder / f"lake/{name}.parquet").num_rows) for name in counts} == counts
    rows = re.findall(r"^│ (\w+) +│ +(\d+) │ +([\d.]+) │ +([\d.]+) │ +([\d.]+) │$", table, re.MULTILINE)
    assert [row[:2] for row in rows] == sorted(counts.items())
    assert len(rows) == 2
    assert all(Decimal(low) <= Decimal(last) <= Decimal(high) for *_, low, high, last in rows)
    assert minutes.split()[:4] == ["open", "high", "low", "close"]
    candles = re.findall(r"^\S+ \d\d:\d\d:00\+00:00 +[\d.]+ +([\d.]+) +([\d.]+) +[\d.]+$", minutes, re.MULTILINE)
    edges = min(float(low) for _, low in candles), max(float(high) for high, _ in candles)
    assert edges == (float(rows[0][2]), float(rows[0][3])), "DuckDB's low and high of btc_usd"


async def check_jobs(said: list[str], _gate: Gateway, _folder: Path) -> None:
    """Every job of the page's table, a dry run that says what it would remove, and a report with every verdict."""
    looked, compared = said
    page = (ROOT / "docs/jobs.md").read_text()
    listed = re.findall(r"^(\w+) +(?:by hand|every \d+ s) +(?:high|default|low) ", looked, re.MULTILINE)
    assert set(listed) == set(re.findall(r"^\| `(\w+)` \| \d", page, re.MULTILINE)) | set(
        re.findall(r"^\| `(\w+)` \| a day", page, re.MULTILINE)
    )
    ran = re.search(r"^[0-9a-f-]{36}  succeeded in \S+ s\n  (\{.*\})$", looked, re.MULTILINE)
    assert ran, looked
    assert {**exact(ran[1]), "before_ms": 0} == {"before_ms": 0, "dry_run": True, "months": [], "rows": 0}
    assert looked.endswith("check_health has not run\n")
    ran = re.match(r"[0-9a-f-]{36}  succeeded in \S+ s\n  (\{.*\})\n$", compared)
    assert ran, compared
    report = exact(ran[1])
    day = {"start": 1_795_132_800_000, "end": 1_795_219_200_000, "resolution": "60"}
    assert day.items() <= report.items()
    assert {"agreeing", "missing_here", "missing_there", "differing", "synthetic"} <= report.keys()


CHECKS = {"docs/tutorial.md": check_tutorial, "docs/how-to.md": check_recipes, "docs/jobs.md": check_jobs}


@pytest.mark.parametrize("page", CHECKS)
async def test_every_block_runs(page: str, gate: Gateway, tmp_path: Path) -> None:
    """Promise: whoever copies a page from top to bottom gets what it says, block by block; a block more is one for
    which somebody has to say what comes of it.
    """
    said = [await run(block, gate, tmp_path) for block in blocks_of(page) if block.language in RUN]
    await CHECKS[page](said, gate, tmp_path)


async def test_no_block_is_left_out() -> None:
    """Promise: each block of each page, fenced or indented, is run, or named with a test that exists; nothing is named
    that stands on no page any more.
    """
    named = dict.fromkeys(ELSEWHERE, 0)
    for page in pages():
        for block in blocks_of(page):
            if page in CHECKS and block.language in RUN:
                continue
            found = [name for name in named if name[0] == page and block.code.lstrip().startswith(name[1])]
            assert found, f"{page}: nobody runs this:\n{block.code}"
            named[max(found, key=lambda name: len(name[1]))] += 1
    assert [name for name, count in named.items() if not count] == []
    for where in ELSEWHERE.values():
        path, _, test = where.partition("::")
        assert re.search(rf"^(async )?def {test}\(", (ROOT / path).read_text(), re.MULTILINE), where
        assert test.startswith("test_"), where


async def test_the_drawing_has_every_room() -> None:
    """Promise: whoever looks for a room finds it in the drawing. Their directions are held by `make check`."""
    [drawing] = [block for block in blocks_of("ARCHITECTURE.md") if block.language == INDENTED]
    rooms = {path.parent.name for path in (ROOT / "cryptomarket").glob("*/__init__.py")}
    assert rooms - set(re.findall(r"\w+", drawing.code)) == {"page"}, "which is said below the drawing"


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
