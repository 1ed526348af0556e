"""A script learns from the exit status what to do."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import typer

from cryptomarket.client import (
    BrokenDownload,
    Forbidden,
    GatewayFailed,
    NotFound,
    TooMany,
    Unauthenticated,
    Unavailable,
)
from cryptomarket.terminal.endings import MEANINGS, Ending, hear_ctrl_c, told, until_signalled


@pytest.mark.parametrize(
    ("error", "ending"),
    [
        (NotFound("No such ticker."), Ending.REFUSED),
        (TooMany("Too often.", retry_after_s=1, limit=1), Ending.REFUSED),
        (GatewayFailed(500, "Internal error."), Ending.REFUSED),
        (Unauthenticated("Who?"), Ending.UNKNOWN_CALLER),
        (Forbidden("Not yours."), Ending.UNKNOWN_CALLER),
        (Unavailable("Away."), Ending.AWAY),
        (BrokenDownload("Torn."), Ending.NOT_WHOLE),
        (ValueError("No length."), Ending.WRONG_USE),
        (PermissionError("No file."), Ending.WRONG_USE),
        (KeyboardInterrupt(), Ending.INTERRUPTED),
    ],
)
def test_an_error_has_a_status_and_a_sentence(
    error: BaseException, ending: Ending, capsys: pytest.CaptureFixture[str]
) -> None:
    """Promise: each kind of failure ends with its own status and its sentence on the error output, no traceback."""
    with pytest.raises(typer.Exit) as exit_, told():
        raise error
    assert exit_.value.exit_code == ending
    said = capsys.readouterr()
    assert said.out == ""
    assert str(error) in said.err
    assert ("cryptomarket login" in said.err) == isinstance(error, Unauthenticated)
    assert set(MEANINGS) == set(Ending)


@pytest.fixture
def sigint() -> Iterator[None]:
    """What SIGINT does may be changed."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("sigint")
def test_what_is_drawn_on_a_terminal_hears_ctrl_c() -> None:
    """Promise: SIGINT that the starter had ignored is heard again on a terminal, and nowhere else; a handler that is
    there stays.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    hear_ctrl_c(on_terminal=False)
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    hear_ctrl_c(on_terminal=True)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    hear_ctrl_c(on_terminal=True)
    assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL


SAYS_A_LINE = """
import sys, typer
from cryptomarket.terminal.endings import told
app = typer.Typer()
@app.command()
def say() -> None:
    with told():
        sys.stdout.write("a line\\n")
        FLUSHES
app()
"""


@pytest.mark.parametrize("flushes", ["", "sys.stdout.flush()"], ids=["at_its_end", "at_once"])
def test_who_reads_no_more_is_no_mistake(flushes: str) -> None:
    """Promise: an output that nobody reads any more, as of `| head`, ends a command without a word, as SIGPIPE would,
    also when it is noticed only at the end.
    """
    read, write = os.pipe()
    os.close(read)
    try:
        words = [sys.executable, "-c", SAYS_A_LINE.replace("FLUSHES", flushes)]
        buffered = {**os.environ, "PYTHONUNBUFFERED": ""}
        done = subprocess.run(words, stdout=write, stderr=subprocess.PIPE, env=buffered, timeout=30, check=False)
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (Ending.UNREAD, b"")


@contextmanager
def as_at_a_start(number: signal.Signals) -> Iterator[None]:
    """Whatever another test has left: nobody listens to the signal."""
    before = signal.signal(number, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(number, before or signal.SIG_DFL)


@pytest.mark.parametrize(
    ("sent", "ending"), [(signal.SIGTERM, Ending.TERMINATED), (signal.SIGHUP, Ending.HUNG_UP)], ids=["term", "hup"]
)
@pytest.mark.usefixtures("capsys")
def test_a_signal_lets_a_command_undo_what_it_has_done(sent: signal.Signals, ending: Ending) -> None:
    """Promise: SIGTERM and SIGHUP end the work in order, also where the terminal can't be written to any more, and the
    next would end it at once.
    """
    undone: list[object] = []

    async def work() -> None:
        try:
            async with asyncio.timeout(20):
                os.kill(os.getpid(), sent)
                await asyncio.Event().wait()
        finally:
            undone.append(signal.getsignal(sent))
            raise OSError("the terminal has gone")

    with as_at_a_start(sent), pytest.raises(typer.Exit) as exit_, told():
        asyncio.run(until_signalled(work()))
    assert (exit_.value.exit_code, undone) == (ending, [signal.SIG_DFL])


def test_what_a_starter_wants_unheard_is_unheard() -> None:
    """Promise: `nohup` keeps its word, and a failure that no signal has caused is told as what it is."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)

    async def work() -> None:
        os.kill(os.getpid(), signal.SIGHUP)
        raise OSError("No file.")

    try:
        with pytest.raises(OSError, match="No file"):
            asyncio.run(until_signalled(work()))
    finally:
        signal.signal(signal.SIGHUP, before)
