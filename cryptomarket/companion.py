"""The simulator as a child process, which ends with its parent however that ends."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cryptomarket.errors import StartRefused

_LISTENING = re.compile(rb"simulator listening on (ws://\S+)")


@asynccontextmanager
async def simulator_beside(*, host: str, port: int, seed: int, start_s: float = 20.0) -> AsyncIterator[str]:
    """Runs the simulator until the block ends; gives the address of its WebSocket.

    The child holds the other end of a pipe that nobody writes to: when this process is gone, even by `kill -9`, the
    pipe closes and the child ends. It has a session of its own, so that Ctrl-C ends us first. Raises StartRefused.
    """
    command = ["-m", "cryptomarket.simulator", "--host", host, "--port", str(port), "--seed", str(seed)]
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        "--until-pipe-closes",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield await _address_of(child, port, start_s)
    finally:
        if child.stdin is not None:
            child.stdin.close()
        try:
            async with asyncio.timeout(5):
                await child.wait()
        except TimeoutError:
            child.kill()
            await child.wait()


async def _address_of(child: asyncio.subprocess.Process, port: int, start_s: float) -> str:
    assert child.stdout is not None  # noqa: S101  it was asked for above
    try:
        async with asyncio.timeout(start_s):
            line = await child.stdout.readline()
    except TimeoutError:
        raise StartRefused(f"The simulator did not start within {start_s:g} seconds.") from None
    found = _LISTENING.match(line)
    if found is None:
        raise StartRefused(f"The simulator could not start; is port {port} in use? Set SIMULATOR_PORT to another.")
    return found[1].decode()
