"""Several processes that serve readers at one port: started together, kept running, and ended together."""

import asyncio
import random
import signal
import sys
from collections.abc import Sequence

import structlog

from cryptomarket.backoff import Backoff
from cryptomarket.errors import StartRefused
from cryptomarket.grounds import check_grounds
from cryptomarket.roles.role import Role, check_role
from cryptomarket.server import banner, exchange_address, listening
from cryptomarket.settings import Settings

log = structlog.get_logger(__name__)

# A process that has lived so long did not die of its start.
LONG_LIFE_S = 10.0
REFUSED = 2


def command_of(role: Role) -> Sequence[str]:
    """How one of them is started."""
    return (sys.executable, "-m", "cryptomarket", "serve", "--role", role.value, "--shares-port")


class Workers:
    """`count` processes; one that dies is started again, later and later while it keeps dying. One that refuses its
    settings is not: all end, and its sentence was said.
    """

    def __init__(self, command: Sequence[str], count: int, *, backoff: Sequence[Backoff], grace_s: float) -> None:
        self._command = command
        self._count = count
        self._backoff = backoff
        self._grace_s = grace_s
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self._stopping = asyncio.Event()
        self.refused = False

    def stop(self) -> None:
        """Asks all of them to end."""
        self._stopping.set()
        for process in self._processes.values():
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)

    def kill(self, number: int) -> None:
        """Ends one of them at once, as a crash would."""
        self._processes[number].kill()

    async def run(self) -> None:
        """Keeps them running until `stop` is called and they have ended."""
        async with asyncio.TaskGroup() as together:
            for number in range(self._count):
                together.create_task(self._keep(number))

    async def _keep(self, number: int) -> None:
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set():
            began_s = loop.time()
            process = self._processes[number] = await asyncio.create_subprocess_exec(*self._command)
            status = await self._ended(process)
            if self._stopping.is_set():
                return
            if status == REFUSED:
                self.refused = True
                self.stop()
                return
            if loop.time() - began_s >= LONG_LIFE_S:
                self._backoff[number].reset()
            pause_s = self._backoff[number].next_s()
            log.error("a worker has died, and is started again", worker=number, status=status, pause_s=pause_s)
            await _first_of(self._stopping, pause_s)

    async def _ended(self, process: asyncio.subprocess.Process) -> int:
        waiting = asyncio.create_task(process.wait())
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait((waiting, stopping), return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                await asyncio.wait((waiting,), timeout=self._grace_s)
            if not waiting.done():
                process.kill()
            return await waiting
        finally:
            stopping.cancel()
            if process.returncode is None:
                process.kill()


async def _first_of(event: asyncio.Event, timeout_s: float) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return


def workers_of(settings: Settings, command: Sequence[str], count: int) -> Workers:
    """As patient as the settings say."""
    cap_s = settings.workers_backoff_cap_s
    return Workers(
        command,
        count,
        backoff=[Backoff(base_s=min(0.5, cap_s), cap_s=cap_s, random=random.random) for _ in range(count)],
        grace_s=settings.stream_farewell_s + settings.workers_grace_s,
    )


async def serve_workers(settings: Settings, role: Role, count: int) -> None:
    """Runs `count` processes of a role at one port until told to stop. Raises StartRefused."""
    check_role(settings, role, count)
    # Somebody else's port is found out here; among themselves, workers would share it with anybody.
    listening(settings).close()
    # Else each of them would say the same, below a banner that is not true.
    await check_grounds(settings)
    sys.stdout.write(banner(settings, exchange_address(settings), role).replace("{port}", str(settings.app_port)))
    sys.stdout.flush()
    workers = workers_of(settings, command_of(role), count)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, workers.stop)
    await workers.run()
    if workers.refused:
        raise StartRefused("The workers could not start; the sentence above says why.")
