"""The code of our pages, and how it is run as it stands there."""

import asyncio
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

from __tests__.journeys.gateway import Gateway

ROOT = Path(__file__).resolve().parents[2]
USUAL_PORT = "127.0.0.1:8003"
INDENTED = "indented"
_BLOCK = re.compile(
    r"^```(?P<language>\w*)\n(?P<fenced>.*?)^```$|(?<=\n\n)(?P<indented>(?: {4}[^\n]+\n)(?:(?: {4}[^\n]+)?\n)*)",
    re.MULTILINE | re.DOTALL,
)
# A stream goes on until its reader leaves; the reader of a test leaves after two seconds (curl's exit status 28).
_LEAVING_CURL = 'curl() { command curl --silent --show-error --max-time 2 "$@" || [ $? = 28 ]; }'
_NAMES = {"python": "code.py", "js": "code.mjs"}


@dataclass(frozen=True)
class Block:
    """Code in a page: in which language, and what."""

    language: str
    code: str


def blocks_of(page: str) -> list[Block]:
    """The fenced and the indented blocks of a page, in order (CommonMark 0.31, 4.4 and 4.5)."""
    return [
        Block(INDENTED, dedent(found["indented"]).rstrip("\n") + "\n")
        if found["indented"]
        else Block(found["language"], found["fenced"])
        for found in _BLOCK.finditer((ROOT / page).read_text())
    ]


def pages() -> list[str]:
    """All pages that stand beside the code."""
    return sorted(str(path.relative_to(ROOT)) for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")))


async def run(block: Block, gate: Gateway, folder: Path) -> str:
    """What a block says, run with nothing changed but the port. Asserts that it succeeds."""
    (folder / "bin").mkdir(exist_ok=True)
    command = folder / "bin" / "cryptomarket"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m cryptomarket "$@"\n')
    command.chmod(0o755)
    modules = folder / "node_modules"
    if not modules.is_symlink():
        modules.symlink_to(ROOT / "node_modules")
    code = block.code.replace(USUAL_PORT, gate.url.removeprefix("http://"))
    if block.language == "bash":
        words = ["bash", "-euo", "pipefail", "-c", f"{_LEAVING_CURL}\n{code}"]
    else:
        (folder / _NAMES[block.language]).write_text(code)
        words = [sys.executable if block.language == "python" else "node", _NAMES[block.language]]
    environment = {
        **gate.environment, "HOME": str(folder), "CRYPTOMARKET_URL": gate.url, "DATA_DIR": str(gate.database.parent),
        "PATH": f"{folder / 'bin'}:{gate.environment['PATH']}",
    }  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        *words, cwd=folder, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(60):
            said, complained = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, f"{block.code}\n{complained.decode()}"
    return said.decode()
