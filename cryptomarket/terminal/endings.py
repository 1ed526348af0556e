"""How a command ends: its exit status, and the sentence before it."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager, suppress
from enum import IntEnum

import typer

from cryptomarket.client import BrokenDownload, CryptomarketError, Forbidden, Refusal, Unauthenticated, Unavailable


class Ending(IntEnum):
    """The exit statuses."""

    DONE = 0
    REFUSED = 1
    WRONG_USE = 2
    UNKNOWN_CALLER = 3
    AWAY = 4
    NOT_WHOLE = 5
    HUNG_UP = 129
    INTERRUPTED = 130
    UNREAD = 141
    TERMINATED = 143


MEANINGS = {
    Ending.DONE: "done",
    Ending.REFUSED: "the gateway refuses: no such ticker, a range that can't be, a limit",
    Ending.WRONG_USE: "the command line can't be understood, or a file can't be used",
    Ending.UNKNOWN_CALLER: "nobody is logged in, or the token or the key pair is not good (any more)",
    Ending.AWAY: "the gateway is away, or not ready",
    Ending.NOT_WHOLE: "a download did not come whole; it is not under its name",
    Ending.HUNG_UP: "the terminal has gone (SIGHUP)",
    Ending.INTERRUPTED: "Ctrl-C",
    Ending.UNREAD: "whoever read the output has gone, as `head` does",
    Ending.TERMINATED: "SIGTERM",
}
_SIGNALLED = {signal.SIGHUP: Ending.HUNG_UP, signal.SIGTERM: Ending.TERMINATED}
_HOW_TO_LOG_IN = "Log in with: cryptomarket login (the simulator knows demo-1 with the secret demo-1-secret)."


def ending_of(error: CryptomarketError | OSError | ValueError) -> Ending:
    """The exit status that an error means."""
    if isinstance(error, Unauthenticated | Forbidden):
        return Ending.UNKNOWN_CALLER
    if isinstance(error, Unavailable):
        return Ending.AWAY
    if isinstance(error, BrokenDownload):
        return Ending.NOT_WHOLE
    if isinstance(error, Refusal):
        return Ending.REFUSED
    return Ending.WRONG_USE if isinstance(error, OSError | ValueError) else Ending.REFUSED


def hear_ctrl_c(*, on_terminal: bool) -> None:
    """Lets Ctrl-C end a command that draws on a terminal, also where its starter has made it deaf to it.

    A shell without job control, a script's, starts what it runs in the background with SIGINT ignored (POSIX, Shell
    Command Language, 2.11), and asyncio leaves it so. Whoever sees prices being drawn has to be able to end that; what
    writes to a file or a pipe keeps to what its starter wanted.
    """
    if on_terminal and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


async def until_signalled(work: Awaitable[None]) -> None:
    """Does the work, which SIGTERM and SIGHUP end as Ctrl-C does: what it has made of the terminal it undoes. A second
    one ends it at once, and what its starter has made it deaf to (nohup) it does not hear. Raises typer.Exit.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    came: list[signal.Signals] = []

    def end(sent: signal.Signals) -> None:
        came.append(sent)
        loop.remove_signal_handler(sent)
        if task is not None:
            task.cancel()

    for sent in _SIGNALLED:
        if signal.getsignal(sent) is signal.SIG_DFL:
            loop.add_signal_handler(sent, end, sent)
    try:
        await work
    except (asyncio.CancelledError, OSError):
        if not came:
            raise
        if signal.SIGHUP in came:
            _write_no_more()
        raise typer.Exit(_SIGNALLED[came[0]]) from None


@contextmanager
def told() -> Iterator[None]:
    """Ends the command with a sentence on the error output, and the status that goes with it."""
    try:
        yield
        # What waits to be written would else fail at the very end, where nobody can tell what it means.
        sys.stdout.flush()
    except BrokenPipeError:
        _write_no_more()
        raise typer.Exit(Ending.UNREAD) from None
    except (CryptomarketError, OSError, ValueError) as error:
        typer.echo(f"cryptomarket: {error}", err=True)
        for note in getattr(error, "__notes__", []):
            typer.echo(f"cryptomarket: {note}", err=True)
        if isinstance(error, Unauthenticated):
            typer.echo(f"cryptomarket: {_HOW_TO_LOG_IN}", err=True)
        raise typer.Exit(ending_of(error)) from None
    except KeyboardInterrupt:
        raise typer.Exit(Ending.INTERRUPTED) from None


def _write_no_more() -> None:
    """What is left to be written goes nowhere (docs.python.org/3/library/signal.html, "Note on SIGPIPE")."""
    with suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
