"""`cryptomarket` in processes that need not load what they are made of: forked from one that has.

A start of the gateway is more than a second of a processor, nearly all of it Python reading modules. Journeys start it
some hundreds of times, so that here the standard library's fork server loads it once. What runs is a process of its own
like any other, with its own folder, environment and output, that signals end. Tests of starts and ends themselves, and
those of the README, start Python anew.
"""

import asyncio
import multiprocessing
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Protocol

from cryptomarket.__main__ import main

_CONTEXT = multiprocessing.get_context("forkserver")
_LOADED = ["cryptomarket.cli", "cryptomarket.terminal.commands", __name__]
_OUTPUT, _COMPLAINTS = 1, 2


class Process(Protocol):
    """What journeys ask of `asyncio.subprocess.Process`."""

    @property
    def pid(self) -> int: ...
    @property
    def returncode(self) -> int | None: ...
    @property
    def stdout(self) -> asyncio.StreamReader | None: ...
    async def wait(self) -> int: ...
    async def communicate(self) -> tuple[bytes, bytes]: ...
    def send_signal(self, signal: int, /) -> None: ...
    def kill(self) -> None: ...


def _become(
    words: tuple[str, ...], folder: Path, environment: Mapping[str, str], output: Connection, complaints: Connection
) -> None:
    """In the new process: what `python -m cryptomarket` would find, and then the same."""
    os.dup2(output.fileno(), _OUTPUT)
    os.dup2(complaints.fileno(), _COMPLAINTS)
    output.close()
    complaints.close()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["cryptomarket", *words]
    main()


def warm_up() -> None:
    """Starts the process from which others are forked, unless it runs. It is not measured, and it buffers its output,
    as what is started with the environment of a journey would.
    """
    hidden = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith(("COV", "PYTHONUNBUFFERED"))}
    _CONTEXT.set_forkserver_preload(_LOADED)
    forkserver.ensure_running()
    os.environ.update(hidden)
    first = _CONTEXT.Process(target=int)  # it is there when the modules are
    first.start()
    first.join()


class _Forked:
    """What the fork server has started, as asyncio would show it."""

    def __init__(self, process: ForkServerProcess, stdout: asyncio.StreamReader, stderr: asyncio.StreamReader) -> None:
        assert process.pid is not None
        self._process = process
        self._stderr = stderr
        self.pid: int = process.pid
        self.stdout: asyncio.StreamReader | None = stdout

    @property
    def returncode(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        return self._process.exitcode

    async def wait(self) -> int:
        """The exit status, when it has ended."""
        loop = asyncio.get_running_loop()
        while self.returncode is None:
            ended = asyncio.Event()
            loop.add_reader(self._process.sentinel, ended.set)
            try:
                await ended.wait()
            finally:
                loop.remove_reader(self._process.sentinel)
        return self.returncode

    async def communicate(self) -> tuple[bytes, bytes]:
        """All that it has said and complained, when it has ended."""
        assert self.stdout is not None
        said, complained = await asyncio.gather(self.stdout.read(), self._stderr.read())
        await self.wait()
        return said, complained

    def send_signal(self, number: int) -> None:
        """To a process that runs; no error where it has just ended."""
        if self.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """`kill -9`."""
        self.send_signal(signal.SIGKILL)


async def _reader(source: Connection, limit: int) -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit=limit)
    pipe = os.fdopen(os.dup(source.fileno()), "rb", 0)
    source.close()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    return reader


async def start_warm(
    *words: str, folder: Path, environment: Mapping[str, str], is_one_stream: bool = False, limit: int = 2**16
) -> Process:
    """`cryptomarket <words>` in a folder, with these environment variables and no others.

    With `is_one_stream`, complaints come among the output. `limit` is that of a line.
    """
    output, its_output = _CONTEXT.Pipe(duplex=False)
    complaints, its_complaints = _CONTEXT.Pipe(duplex=False)
    ends = (its_output, its_output if is_one_stream else its_complaints)
    process = _CONTEXT.Process(target=_become, args=(words, folder, dict(environment), *ends), daemon=True)
    process.start()
    its_output.close()
    its_complaints.close()
    return _Forked(process, await _reader(output, limit), await _reader(complaints, limit))


async def start_anew(
    *words: str, folder: Path, environment: Mapping[str, str], is_one_stream: bool = False, limit: int = 2**16
) -> Process:
    """The same, as one who types it starts it."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cryptomarket", *words),
        cwd=folder,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT if is_one_stream else asyncio.subprocess.PIPE,
        limit=limit,
    )
