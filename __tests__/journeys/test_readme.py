"""What a newcomer copies from README.md, or README.ru.md, works as it is written there."""

import asyncio
import re
import subprocess
from pathlib import Path

from __tests__.journeys.gateway import Gateway, exact, gateway
from __tests__.journeys.pages import ROOT, Block, blocks_of, run


def test_both_languages_have_the_same_commands() -> None:
    """Promise: whoever reads Russian copies the same code, to the letter."""
    english = blocks_of("README.md")
    assert [block.language for block in english] == ["sh", "bash", "python", "js", "bash", "bash"]
    assert blocks_of("README.ru.md") == english


async def test_the_code_of_the_readme(tmp_path: Path) -> None:
    """Promise: the first stream by curl, Python, JavaScript and in a terminal, the saved set, and the line that the
    gateway itself offers to try, work with nothing changed but the port.
    """
    _, first, python, javascript, terminal, saved = blocks_of("README.md")
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


def test_the_first_two_commands() -> None:
    """Promise: `make run` starts the gateway with the variables of its caller, and `make test` tests it."""
    commands = blocks_of("README.md")[0].code.splitlines()
    for command, does in zip(commands, ("cryptomarket up", "pytest"), strict=True):
        named = command.partition("#")[0].split()
        done = subprocess.run([*named, "--dry-run"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=30)
        assert done.returncode == 0, done.stderr
        assert does in done.stdout
    assert not re.search(r"^(APP_PORT|EXCHANGE|DEBUG)\b", (ROOT / "Makefile").read_text(), re.MULTILINE)
