"""What a newcomer copies from README.md works as it is written there."""

import asyncio
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from __tests__.journeys.gateway import exact, gateway

ROOT = Path(__file__).resolve().parents[2]
USUAL_PORT = "127.0.0.1:8003"
# A stream goes on until its reader leaves; the reader of this test leaves after two seconds (curl's exit status 28).
LEAVING_CURL = 'curl() { command curl --silent --show-error --max-time 2 "$@" || [ $? = 28 ]; }'


def shell_blocks(text: str) -> Iterator[str]:
    """The indented paragraphs of a page that are commands."""
    for paragraph in re.split(r"\n\s*\n", text):
        lines = paragraph.splitlines()
        if lines and all(line.startswith("    ") for line in lines) and re.match(r"    (make|curl|\w+=)", lines[0]):
            yield "\n".join(line[4:] for line in lines)


async def run(script: str, folder: Path) -> str:
    """What a shell says to a script. Asserts that each command succeeds."""
    shell = await asyncio.create_subprocess_exec(
        "bash", "-euo", "pipefail", "-c", script,
        cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(30):
        said, complained = await shell.communicate()
    assert shell.returncode == 0, complained.decode()
    return said.decode()


async def test_the_commands_of_the_readme(tmp_path: Path) -> None:
    """Promise: the page's first stream, its saved set, and the line that the gateway itself offers to try, work with
    nothing changed but the port.
    """
    blocks = list(shell_blocks((ROOT / "README.md").read_text()))
    assert [block.split()[0].partition("=")[0] for block in blocks] == ["make", "curl", "TOKEN"]
    async with gateway(tmp_path) as gate:
        _, first, second = (block.replace(USUAL_PORT, gate.url.removeprefix("http://")) for block in blocks)
        [offered] = re.findall(r"^  (curl .+)$", gate.banner, re.MULTILINE)
        assert "SIMULATED" in gate.banner
        said, as_offered = await asyncio.gather(
            run(f"{LEAVING_CURL}\n{first}", tmp_path), run(f"{LEAVING_CURL}\n{offered}", tmp_path)
        )
        assert as_offered.startswith("retry: ")
        assert '"ticker":"btc_usd"' in as_offered
        assert re.match(r'retry: \d+\nevent: connected\ndata: \{"user_id":"u_', said)
        assert re.search(r'^id: \w+-\d+\ndata: \{"seq":\d+,"prev_seq":\d+,"ticker":"btc_usd"', said, re.MULTILINE)
        said = await run(f"{LEAVING_CURL}\n{second}", tmp_path)
        assert '"ticker":"BTC-PERPETUAL"' in said.partition("retry:")[2]
        page = exact(said[said.rindex('{"ticker":"btc_usd","start"') :])
        assert page["count"] == len(page["data"]) > 0
        assert said.count('"created":true') == 2


def test_the_first_two_commands() -> None:
    """Promise: `make run` starts the gateway with the variables of its caller, and `make test` tests it."""
    [block] = [block for block in shell_blocks((ROOT / "README.md").read_text()) if block.startswith("make")]
    for command, does in zip(block.splitlines(), ("cryptomarket up", "pytest"), strict=True):
        named = command.partition("#")[0].split()
        done = subprocess.run([*named, "--dry-run"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=30)
        assert done.returncode == 0, done.stderr
        assert does in done.stdout
    assert not re.search(r"^(APP_PORT|EXCHANGE|DEBUG)\b", (ROOT / "Makefile").read_text(), re.MULTILINE)
