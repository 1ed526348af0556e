"""The command line against a whole gateway: killed and resumed, in a terminal, and by its exit statuses."""

import asyncio
import fcntl
import json
import os
import pty
import re
import signal
import struct
import sys
import termios
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq
import pyte
import pytest
import pytest_asyncio

from __tests__.journeys.gateway import Gateway, Reader, exact, reading
from __tests__.journeys.witness import Scene, frames_of, scene
from cryptomarket.simulator.options import SimulatorOptions
from cryptomarket.terminal.endings import MEANINGS, Ending

pytestmark = pytest.mark.asyncio(loop_scope="module")

COLUMNS, LINES = 100, 30
NARROW = 32
RECORDED = SimulatorOptions(port=0, recording=True)
# As a person reads it: a price with its direction, and, where there is room, the quotes.
ROW = re.compile(r"^│ (?P<ticker>\S+) +│ +(?P<price>[\d,.]+) (?P<arrow>[▲▼ ]) │(?P<others>.*)$", re.MULTILINE)
Price = tuple[Decimal, ...]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    """One gateway for all, in whose folder demo-1 is logged in, and an exchange that remembers what it has sent."""
    async with scene(tmp_path_factory.mktemp("terminal"), market=RECORDED) as running:
        gate = running.gate
        status, said, complaint = await command(gate, "login", "--client-id", "demo-1", typed="demo-1-secret\n")
        assert status == 0, complaint
        assert "is logged in" in said
        assert "demo-1-secret" not in (gate.folder / ".config/cryptomarket/tokens.json").read_text()
        yield running


@pytest.fixture
def gate(stage: Scene) -> Gateway:
    """The gateway."""
    return stage.gate


def environment(gate: Gateway) -> dict[str, str]:
    """A person's, at this gateway."""
    return {**gate.environment, "CRYPTOMARKET_URL": gate.url, "TERM": "xterm-256color", "COLUMNS": str(COLUMNS)}


async def begun(gate: Gateway, *words: str) -> asyncio.subprocess.Process:
    """A command that runs."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cryptomarket", *words,
        cwd=gate.folder, env=environment(gate), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE, limit=2**22,
    )  # fmt: skip


async def command(gate: Gateway, *words: str, typed: str = "") -> tuple[int, str, str]:
    """A command to its end: exit status, output, complaints."""
    process = await begun(gate, *words)
    async with asyncio.timeout(30):
        said, complained = await process.communicate(typed.encode())
    assert process.returncode is not None
    return process.returncode, said.decode(), complained.decode()


async def in_shell(gate: Gateway, words: str) -> str:
    """What a command says among others of a shell, complaints too."""
    process = await asyncio.create_subprocess_exec(
        "bash", "-c", f'"{sys.executable}" -m cryptomarket {words}', cwd=gate.folder, env=environment(gate),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    async with asyncio.timeout(30):
        said, _ = await process.communicate()
    return said.decode()


def written(path: Path) -> list[tuple[str, str]]:
    """Event and id of the whole lines of a file, but snapshots, which tell the state and not what happened."""
    if not path.exists():
        return []
    lines = [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]
    return [(line["event"], line["id"]) for line in lines if line["event"] != "snapshot"]


def grown(seen: int, reader: Reader) -> bool:
    """Whether a reader has more events than that."""
    return len(reader.events) > seen


async def test_killed_at_any_moment_it_loses_and_doubles_nothing(gate: Gateway) -> None:
    """Promise: `tail --out` that is killed with SIGKILL and run again, again and again, has in its file exactly what
    one stream has that was never interrupted; a torn last line is mended.
    """
    path = gate.folder / "ticks.jsonl"
    token, _ = await gate.login()
    async with reading(gate, token, tickers="btc_usd,BTC-PERPETUAL") as witness, asyncio.timeout(60):
        for life in range(3):
            count = len(written(path))
            tailing = await begun(gate, "tail", "btc_usd", "btc-perpetual", "--out", str(path))
            seen = len(witness.events)
            while len(written(path)) < count + 3 + life:
                assert tailing.returncode is None
                await witness.until(partial(grown, seen))
                seen = len(witness.events)
            tailing.send_signal(signal.SIGKILL)
            await tailing.wait()
            if life == 1:
                with path.open("ab") as torn:
                    torn.write(b'{"event":"message","id":"torn-1","seq":')
        status, _, complaint = await command(
            gate, "tail", "btc_usd", "BTC-PERPETUAL", "--out", str(path), "--count", "3"
        )
        assert status == 0, complaint
        told = written(path)
        ends = told[-1][1]
        await witness.until(lambda reader: ends in {event.id for event in reader.events})
    there = [(event.event, event.id) for event in witness.events if event.event in {"message", "status", "gap"}]
    first, last = there.index(told[0]), there.index(told[-1])
    assert told == there[first : last + 1]
    assert len(told) >= 15


async def test_lines_go_on_after_an_id(gate: Gateway) -> None:
    """Promise: `--from-id` with the id of any line gives exactly what came after it, digit for digit."""
    token, _ = await gate.login()
    async with reading(gate, token, tickers="btc_usd") as witness:
        await witness.until(lambda reader: len(reader.named("message")) >= 2)
        after = next(event.id for event in witness.events if event.event == "message")
        status, said, complaint = await command(gate, "tail", "btc_usd", "--from-id", after, "--count", "2")
        assert status == 0, complaint
        lines = said.splitlines()
        last = json.loads(lines[-1])["id"]
        await witness.until(lambda reader: last in {event.id for event in reader.events})
    ids = [event.id for event in witness.events]
    expected = [
        event for event in witness.events[ids.index(after) + 1 : ids.index(last) + 1] if event.id and event.data
    ]
    told = [event for event in expected if event.event in {"message", "status", "gap"}]
    assert [line[line.index('"seq"') :] for line in lines] == [event.data[1:] for event in told]


class Screen:
    """A terminal in which a command runs, read and typed at as a person would."""

    def __init__(self, master: int, columns: int) -> None:
        self._master = master
        self.screen = pyte.Screen(columns, LINES)
        self._stream = pyte.ByteStream(self.screen)
        self._came = asyncio.Event()
        asyncio.get_running_loop().add_reader(master, self._read)

    def _read(self) -> None:
        try:
            self._stream.feed(os.read(self._master, 2**16))
        except OSError:
            asyncio.get_running_loop().remove_reader(self._master)
        self._came.set()

    def type(self, keys: bytes) -> None:
        """Presses keys."""
        assert os.write(self._master, keys) == len(keys)

    @property
    def text(self) -> str:
        """What is to be seen."""
        return "\n".join(line.rstrip() for line in self.screen.display)

    @property
    def rows(self) -> dict[str, re.Match[str]]:
        """The rows of the table by ticker, while the whole of it is to be seen; its last line is drawn last."""
        return {row["ticker"]: row for row in ROW.finditer(self.text)} if "Ctrl-C ends" in self.text else {}

    async def until(self, condition: Callable[[], object], *, within_s: float = 20) -> None:
        """Waits until it is so."""
        async with asyncio.timeout(within_s):
            while not condition():
                self._came.clear()
                await self._came.wait()

    async def next_price(self, ticker: str, *, other_than: str = "") -> re.Match[str]:
        """A ticker's row, once it has a price, and another than that."""
        await self.until(lambda: ticker in self.rows and self.rows[ticker]["price"] != other_than)
        return self.rows[ticker]


# Opened by the first of a session, a terminal is the session's own, whose keys are its signals.
DEAF_IN_A_TERMINAL = 'trap "" INT; terminal=$1; shift; exec "$@" <>"$terminal" >&0 2>&0'


@asynccontextmanager
async def terminal(
    gate: Gateway, *words: str, columns: int = COLUMNS
) -> AsyncIterator[tuple[Screen, asyncio.subprocess.Process]]:
    """A command in a terminal of its own, started with SIGINT ignored, as scripts start what runs in the background.
    What it has made of the terminal is what it has to undo.
    """
    master, slave = pty.openpty()
    os.set_blocking(master, False)
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, columns, 0, 0))
    before = termios.tcgetattr(slave)
    given = {name: value for name, value in environment(gate).items() if name != "COLUMNS"}
    process = await asyncio.create_subprocess_exec(
        "/bin/sh", "-c", DEAF_IN_A_TERMINAL, "sh", os.ttyname(slave), sys.executable, "-m", "cryptomarket", *words,
        cwd=gate.folder, env=given, start_new_session=True,
    )  # fmt: skip
    shown = Screen(master, columns)
    try:
        yield shown, process
        assert termios.tcgetattr(slave) == before
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        asyncio.get_running_loop().remove_reader(master)
        os.close(master)
        os.close(slave)


def said_by(stage: Scene, ticker: str) -> list[Price]:
    """What the exchange has sent of a ticker, in order: its price, and of an instrument bid and ask."""
    names = ("price",) if "_" in ticker else ("last_price", "best_bid_price", "best_ask_price")
    return [tuple(frame[name] for name in names) for frame in frames_of(stage.simulator, ticker)]


def seen_in(row: re.Match[str]) -> Price:
    """The same of a row."""
    _, bid, ask, *_ = row["others"].split("│")
    return tuple(Decimal(word.strip().replace(",", "")) for word in (row["price"], bid, ask) if word.strip() != "–")


def check_row(row: re.Match[str], said: Sequence[Price], *, after: int) -> int:
    """Asserts that a row shows what the exchange has sent, and which way the price went then. Where in its log that is,
    which is behind `after`.
    """
    seen = seen_in(row)
    place = next((place for place in range(after, len(said)) if said[place] == seen), None)
    assert place is not None, f"{seen} was not sent: {said[after:]}"
    other = next((price for price, *_ in reversed(said[:place]) if price != seen[0]), None)
    assert other is not None
    # Before it had shown two, it does not know.
    assert row["arrow"] in (" ", "▲" if seen[0] > other else "▼")
    return place


async def test_a_terminal_shows_a_table_that_lives(stage: Scene) -> None:
    """Promise: in a terminal there is a table with both tickers; each price in it, and the quotes, are those of a tick
    that the exchange has sent, and the next are those of a later one. Ctrl-C ends it, whoever started it, with the
    status of the help, and leaves the terminal as it was: the last prices on it, the cursor in sight and in front.
    """
    async with terminal(stage.gate, "tail", "btc_usd", "BTC-PERPETUAL") as (screen, process):
        for words in ("ticker", "live", "simulator  simulated prices  connected"):
            await screen.until(lambda words=words: words in screen.text)  # type: ignore[misc]
        assert screen.screen.cursor.hidden
        for ticker in ("btc_usd", "BTC-PERPETUAL"):
            first = await screen.next_price(ticker)
            place = check_row(first, said_by(stage, ticker), after=0)
            second = await screen.next_price(ticker, other_than=first["price"])
            later = check_row(second, said_by(stage, ticker), after=place + 1)
            assert later > place
            assert second["arrow"] in "▲▼"
        screen.type(b"\x03")
        async with asyncio.timeout(20):
            assert await process.wait() == 130
        assert MEANINGS[Ending(130)] == "Ctrl-C", "as every help says"
        await screen.until(lambda: not screen.screen.cursor.hidden)
        assert screen.screen.cursor.x == 0
        assert set(screen.rows) == {"btc_usd", "BTC-PERPETUAL"}
        assert screen.text.count("Ctrl-C ends") == 1, "one table, drawn over and over in its place"


async def test_a_narrow_terminal_shows_whole_prices(stage: Scene) -> None:
    """Promise: where there is no room for everything, prices are as they were sent, and no line is broken. SIGTERM ends
    it as Ctrl-C does.
    """
    async with terminal(stage.gate, "tail", "btc_usd", columns=NARROW) as (screen, process):
        first = await screen.next_price("btc_usd")
        second = await screen.next_price("btc_usd", other_than=first["price"])
        for row in (first, second):
            assert (Decimal(row["price"].replace(",", "")),) in said_by(stage, "btc_usd")
        # A machine that stands still for a second is told of, in a line of its own.
        lines = [line for line in screen.text.rstrip().splitlines() if not line.startswith("gap ")]
        assert len(lines) == len(("title", "top", "names", "rule", "btc_usd", "bottom", "footer")), screen.text
        process.terminate()
        async with asyncio.timeout(20):
            assert await process.wait() == 143
        await screen.until(lambda: not screen.screen.cursor.hidden)


async def test_each_command_says_what_it_did(gate: Gateway, tmp_path: Path) -> None:
    """Promise: history, candles, export and status show what is there; `--json` is exact; help teaches by examples."""
    (status, said, _), (_, rows, _), (_, drawn, _), (_, helped, _), headed = await asyncio.gather(
        command(gate, "status"),
        command(gate, "history", "btc_usd", "--last", "1h", "--limit", "3", "--json"),
        command(gate, "candles", "btc_usd", "--last", "10m"),
        command(gate, "tail", "--help"),
        in_shell(gate, "tail btc_usd --json | head -1; echo ${PIPESTATUS[0]}"),
    )
    assert status == 0
    assert "simulated prices" in said
    assert "logged in as demo-1" in said
    assert [exact(row)["ticker"] for row in rows.splitlines()] == ["btc_usd"] * 3
    assert "open still" in drawn
    assert "cryptomarket tail btc_usd --json | jq .price" in " ".join(helped.split())
    assert "Exit statuses" in helped
    assert re.fullmatch(r'\{"event":.+\}\n141\n', headed), headed
    path = tmp_path / "btc.parquet"
    status, said, complaint = await command(gate, "export", "btc_usd", "--to", str(path), "--last", "1h")
    assert status == 0, complaint
    assert f"{pq.read_table(path).num_rows} rows" in said


async def test_exit_statuses_are_those_of_the_help(gate: Gateway) -> None:
    """Promise: a script can tell a refusal, wrong use, an unknown caller and an absent gateway apart."""
    done = await asyncio.gather(
        command(gate, "history", "btc_usdd"),
        command(gate, "history", "btc_usd", "--last", "soon"),
        command(gate, "tail", "btc_usd", "--token", "garbage"),
        command(gate, "status", "--url", "http://127.0.0.1:9"),
        command(gate, "login", "--client-id", "demo-1", typed="wrong\n"),
    )
    assert [status for status, _, _ in done] == [1, 2, 3, 4, 3]
    for _, said, complaint in done:
        assert said == ""
        assert complaint.startswith("cryptomarket: ")
        assert "Traceback" not in complaint
    assert "Did you mean btc_usd" in done[0][2]
    assert "cryptomarket login" in done[2][2]


async def test_a_logout_ends_the_token_everywhere(gate: Gateway) -> None:
    """Promise: after `logout` the token is nowhere kept, and dead at the gateway."""
    kept = json.loads((gate.folder / ".config/cryptomarket/tokens.json").read_text())[gate.url]
    status, said, complaint = await command(gate, "logout")
    assert (status, "is logged out" in said) == (0, True), complaint
    assert (await command(gate, "tail", "btc_usd"))[0] == 3
    async with gate.client(kept["access_token"]) as client:
        assert (await client.get("/api/v2/me")).status_code == 401
