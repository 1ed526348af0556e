"""What a newcomer copies from README.md, or README.ru.md, works as it is written there."""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import venv
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from __tests__.journeys.gateway import Gateway, exact, gateway
from __tests__.journeys.pages import INDENTED, ROOT, Block, blocks_of, run


def outline(page: str) -> list[str]:
    """What a page is built of, without its words: headings by level, rows of tables, points, and what is linked."""
    shape = []
    for line in (ROOT / page).read_text().splitlines():
        begins = re.match(r"#+ |\||- ", line)
        shape += [begins[0].strip()] if begins else []
    links = re.findall(r"\]\(([^)]+)\)", (ROOT / page).read_text())
    return shape + sorted({link for link in links if not link.startswith("README")})


def test_both_languages_have_the_same_content() -> None:
    """Promise: whoever reads Russian copies the same code, to the letter, and finds the same chapters, tables, points
    and pages to go on to.
    """
    english = blocks_of("README.md")
    assert [block.language for block in english] == ["sh", "bash", "python", "js", "bash", "bash", INDENTED]
    assert blocks_of("README.ru.md") == english
    assert outline("README.ru.md") == outline("README.md")
    assert outline("README.md").count("##") == 6


async def test_the_code_of_the_readme(tmp_path: Path) -> None:
    """Promise: the first stream by curl, Python, JavaScript and in a terminal, the saved set, and the line that the
    gateway itself offers to try, work with nothing changed but the port.
    """
    _, first, python, javascript, terminal, saved, _ = blocks_of("README.md")
    async with gateway(tmp_path) as gate:
        [offered] = re.findall(r"^  (curl .+)$", gate.banner, re.MULTILINE)
        assert "SIMULATED" in gate.banner
        said, as_offered = await asyncio.gather(
            run(first, gate, tmp_path), run(Block("bash", offered + "\n"), gate, tmp_path)
        )
        assert as_offered.startswith("retry: ")
        assert '"ticker":"btc_usd"' in as_offered
        assert re.match(r'retry: \d+\nevent: connected\ndata: \{"user_id":"u_', said)
        assert re.search(r'^id: \w+-\d+\ndata: \{"seq":\d+,"prev_seq":\d+,"ticker":"btc_usd"', said, re.MULTILINE)
        by_python, by_javascript = await asyncio.gather(run(python, gate, tmp_path), run(javascript, gate, tmp_path))
        assert len(re.findall(r"^(?:btc_usd|BTC-PERPETUAL) [\d.]+ \w+-\d+$", by_python, re.MULTILINE)) == 10
        assert len(re.findall(r"^btc_usd [\d.]+ \w+-\d+$", by_javascript, re.MULTILINE)) == 5
        in_terminal = await run(terminal, gate, tmp_path)
        assert "is logged in" in in_terminal
        assert in_terminal.count('"event":"message"') == 5
        assert (tmp_path / "btc.parquet").stat().st_size > 0
        await assert_the_saved_set(saved, gate, tmp_path)


async def assert_the_saved_set(block: Block, gate: Gateway, folder: Path) -> None:
    """Both tickers were new, the stream followed the set, and the past was asked for."""
    said = await run(block, gate, folder)
    assert '"ticker":"BTC-PERPETUAL"' in said.partition("retry:")[2]
    page = exact(said[said.rindex('{"ticker":"btc_usd","start"') :])
    assert page["count"] == len(page["data"]) > 0
    assert said.count('"created":true') == 2


A_FEW_TESTS = "__tests__/market/test_position.py"
SITE_PACKAGES = Path(sysconfig.get_path("purelib"))
NEITHER = shutil.ignore_patterns(".venv", "node_modules", "data", ".env", "__pycache__", ".*_cache", "*.sqlite3*")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A clean clone of what is committed, in which everything that others made is installed already: doing so takes a
    minute, and is what a clean clone in continuous integration shows. The project itself is the clone's. Where there is
    no repository, as in an unpacked archive, it is a copy.
    """
    tree = tmp_path / "clone"
    if (ROOT / ".git").exists():
        words = ["git", "clone", "--quiet", str(ROOT), str(tree)]
        subprocess.run(words, check=True, timeout=60, env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]})
    else:
        shutil.copytree(ROOT, tree, ignore=NEITHER)
    venv.create(tree / ".venv", symlinks=True)
    [own] = (tree / ".venv").glob("lib/*/site-packages")
    own.joinpath("borrowed.pth").write_text(f"{tree}\n{SITE_PACKAGES}\n")
    for name in ("cryptomarket", "pytest"):
        script = tree / ".venv" / "bin" / name
        script.write_text((Path(sys.executable).parent / name).read_text().replace(sys.prefix, str(tree / ".venv")))
        script.chmod(0o755)
    (tree / "node_modules").mkdir()
    for stamp in (".venv/uv.stamp", ".venv/run.stamp", ".venv/dev.stamp", "node_modules/.stamp"):
        (tree / stamp).touch()
    return tree


async def begun(command: str, tree: Path, **environment: str) -> asyncio.subprocess.Process:
    """A command of the page, with nothing of the environment but what is said."""
    return await asyncio.create_subprocess_exec(
        "bash", "-c", command, cwd=tree, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={"PATH": os.environ["PATH"], "HOME": str(tree), **environment}, start_new_session=True,
    )  # fmt: skip


@pytest.mark.timeout(240)
async def test_the_first_two_commands(tree: Path) -> None:
    """Promise: in a clean clone, with an empty environment, the commands of both pages, which are the same: `make run`
    starts the gateway with the variables of its caller and with a simulated exchange, and Ctrl-C ends it in order;
    `make test` runs the tests. Not shown here: what either installs first, and more than a few of the tests.
    """
    english, russian = [blocks_of(str(tree / page)) for page in ("README.md", "README.ru.md")]
    assert english == russian
    run_it, test_it = english[0].code.splitlines()
    which = await begun(".venv/bin/python -c 'import cryptomarket as it; print(it.__file__)'", tree)
    assert (await which.communicate())[0].decode().strip() == str(tree / "cryptomarket" / "__init__.py")
    gateway_of_make = await begun(run_it, tree, APP_PORT="0", SIMULATOR_PORT="0")
    tests = await begun(
        test_it,
        tree,
        TEST_WORKERS="1",
        PYTEST_ADDOPTS=f"--no-cov {A_FEW_TESTS} -W ignore::pytest_cov.CovDisabledWarning",
    )
    assert gateway_of_make.stdout is not None
    said = b""
    try:
        async with asyncio.timeout(90):
            while b"curl -N" not in said:
                line = await gateway_of_make.stdout.readline()
                assert line, said.decode()
                said += line
        [url] = re.findall(r"health (http://\S+/health)", said.decode())
        async with httpx.AsyncClient() as client:
            assert (await client.get(url)).json()["exchange"] == "simulator"
        heard = await run(english[1], Gateway(tree, url=url.removesuffix("/health")), tree.parent)
        assert re.search(r'^data: \{"seq":\d+,"prev_seq":\d+,"ticker":"btc_usd"', heard, re.MULTILINE)
        os.killpg(gateway_of_make.pid, signal.SIGINT)
        async with asyncio.timeout(120):
            rest, (told, _) = await asyncio.gather(gateway_of_make.stdout.read(), tests.communicate())
            await gateway_of_make.wait()
    finally:
        for process in (gateway_of_make, tests):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    assert b"Traceback" not in said + rest
    assert tests.returncode == 0, told.decode()
    assert re.search(r"=+ \d+ passed in ", told.decode())
    assert not re.search(r"^(APP_PORT|EXCHANGE|DEBUG)\b", (tree / "Makefile").read_text(), re.MULTILINE)
