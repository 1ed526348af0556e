"""The simulator beside the gateway: it starts with it, and ends with it however that ends."""

import asyncio
import signal
import socket
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from cryptomarket.companion import simulator_beside
from cryptomarket.errors import StartRefused

PARENT = """
import asyncio
from cryptomarket.companion import simulator_beside

async def main():
    async with simulator_beside(host="127.0.0.1", port=0, seed=1) as address:
        print(address, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def _answers(address: str) -> bool:
    parts = urlsplit(address)
    try:
        _, writer = await asyncio.open_connection(parts.hostname, parts.port)
    except OSError:
        return False
    writer.close()
    return True


async def _is_gone(address: str) -> None:
    async with asyncio.timeout(20):
        while await _answers(address):  # noqa: ASYNC110  another process's port tells nobody that it was closed
            await asyncio.sleep(0.05)  # sleep: between two looks


async def test_it_listens_while_the_block_runs_and_not_after() -> None:
    """Promise: `up` leaves nothing running behind."""
    async with simulator_beside(host="127.0.0.1", port=0, seed=1) as address:
        assert address.startswith("ws://127.0.0.1:")
        assert await _answers(address)
    await _is_gone(address)


async def test_it_ends_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    """Promise: it ends when its pipe to the parent closes, so also after `kill -9`."""
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    parent = await asyncio.create_subprocess_exec(sys.executable, str(script), stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    async with asyncio.timeout(30):
        address = (await parent.stdout.readline()).decode().strip()
    assert await _answers(address)
    parent.send_signal(signal.SIGKILL)
    await parent.wait()
    await _is_gone(address)


async def test_a_port_in_use_is_one_sentence() -> None:
    """Promise: a start that can't work is refused with a sentence that says what to set."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(StartRefused, match="SIMULATOR_PORT"):
            async with simulator_beside(host="127.0.0.1", port=taken.getsockname()[1], seed=1):
                pytest.fail("it cannot have started")
