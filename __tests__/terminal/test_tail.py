"""Watching ends where it was told to, and tells each event once."""

from pathlib import Path

import pytest

from __tests__.client.gateways import Scripted, streams
from __tests__.client.test_stream import CONNECTED, tick
from cryptomarket.terminal.tail import Tail, tail_to_end


async def test_it_ends_after_so_many_ticks_and_goes_on_in_its_file(tmp_path: Path) -> None:
    """Promise: `count` counts ticks; the next watch presents the id of the file's last line, unless another is said."""
    gateway = Scripted([streams(CONNECTED % "fresh", tick(1), tick(2), tick(3))])
    path = tmp_path / "x.jsonl"
    await tail_to_end(gateway.client(), Tail(("btc_usd",), as_lines=True, out=path), count=2)
    assert path.read_bytes().count(b"\n") == 2
    await tail_to_end(gateway.client(), Tail(("btc_usd",), as_lines=True, out=path), count=1)
    await tail_to_end(gateway.client(), Tail((), as_lines=True, out=path, after="e-9"), count=1)
    assert [request.headers.get("last-event-id") for request in gateway.asked] == [None, "e-2", "e-9"]


async def test_lines_go_to_the_output(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Promise: without a file each line is out before the next event is awaited."""
    gateway = Scripted([streams(CONNECTED % "reset", tick(1))])
    await tail_to_end(gateway.client(), Tail(("btc_usd",), as_lines=True), count=1)
    assert capfdbinary.readouterr().out.count(b"\n") == 2


async def test_a_table_is_drawn(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Promise: otherwise there is a table, which stays when it ends."""
    gateway = Scripted([streams(CONNECTED % "fresh", tick(1))])
    await tail_to_end(gateway.client(), Tail(("btc_usd",), as_lines=False), count=1)
    assert b"btc_usd" in capfdbinary.readouterr().out
