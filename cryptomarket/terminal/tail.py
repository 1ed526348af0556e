"""Watching prices, as lines or as a table."""

import sys
import time
from contextlib import AsyncExitStack, ExitStack, aclosing
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.live import Live

from cryptomarket.client import Client, Heard, Tick
from cryptomarket.terminal.board import Board
from cryptomarket.terminal.lines import LineFile, line_of
from cryptomarket.terminal.output import write_whole

_DRAWN_PER_S = 8


@dataclass(frozen=True, slots=True)
class Tail:
    """What is watched, and where it is told."""

    tickers: tuple[str, ...]
    as_lines: bool
    out: Path | None = None
    after: str | None = None


async def tail_to_end(client: Client, wish: Tail, *, timer_s: float | None = None, count: int | None = None) -> None:
    """Tells a stream until `count` ticks were told, or for ever. Raises ValueError for a file of something else."""
    with ExitStack() as stack:
        file = stack.enter_context(LineFile(wish.out)) if wish.out is not None else None
        after = wish.after or (file.position if file is not None else None)
        stream = client.stream(*wish.tickers, after=after, timer_s=timer_s)
        board = None
        if file is None and not wish.as_lines:
            board = Board(lambda: time.time_ns() // 1000)
            board.expect(wish.tickers)
            stack.enter_context(Live(board, console=Console(), refresh_per_second=_DRAWN_PER_S, transient=False))
        async with AsyncExitStack() as streams:
            heard = await streams.enter_async_context(aclosing(stream.heard()))
            left = count
            async for each in heard:
                _tell(each, board, file)
                if left is not None and isinstance(each.event, Tick):
                    left -= 1
                    if left == 0:
                        return


def _tell(heard: Heard, board: Board | None, file: LineFile | None) -> None:
    if board is not None:
        board.hear(heard)
        return
    line = line_of(heard)
    if line is None:
        return
    if file is not None:
        file.write(line)
    else:
        write_whole(line)
        sys.stdout.buffer.flush()
