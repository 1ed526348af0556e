"""A gateway behind a real nginx with our configuration, as curl and slow readers meet it."""

import asyncio
import re
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from __tests__.journeys.front import Front, in_front_of
from __tests__.journeys.gateway import Gateway, Json, exact, gateway, reading
from __tests__.journeys.light import LightReader, chain_of, light_reader, lightly_reading
from __tests__.journeys.witness import comes_true, scene
from cryptomarket.simulator.options import SimulatorOptions

STREAM = "/api/v2/sse/connection"
AT_ONCE = 20
BEHIND = {"trusted_proxies": "127.0.0.1"}
CALM = SimulatorOptions(port=0, index_period_s=0.4)
"""A market with so long between two ticks that a busy machine is not taken for a buffer."""

RUSH = SimulatorOptions(port=0, rate=450)
FAT = ("BTC-PERPETUAL", "ETH-PERPETUAL")
SMALL_BUFFER_BYTES = 4096
EVENT_BYTES = 1000
SLOW = 4
FALL_BEHIND_S = 20


@dataclass(frozen=True)
class Line:
    """A line that curl has put out, and when, in microseconds since the epoch."""

    text: str
    came_us: int


class Curl:
    """curl as a person runs it, and what it has put out so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.lines: list[Line] = []

    async def until(self, pattern: str, count: int = 1, *, within_s: float = 20) -> list[Line]:
        """The first `count` lines that begin so, once they have come."""
        assert self._process.stdout is not None
        async with asyncio.timeout(within_s):
            while len(found := [line for line in self.lines if re.match(pattern, line.text)]) < count:
                text = await self._process.stdout.readline()
                assert text, [line.text for line in self.lines][-20:]
                self.lines.append(Line(text.decode().rstrip("\r\n"), time.time_ns() // 1000))
        return found

    async def ticks(self, count: int) -> list[tuple[Json, int]]:
        """So many ticks, with the time at which each has come."""
        while len(found := list(self._ticks())) < count:
            await self.until("data: ", sum(line.text.startswith("data: ") for line in self.lines) + 1)
        return found

    def _ticks(self) -> Iterator[tuple[Json, int]]:
        for before, line in pairwise(self.lines):
            # A tick has no name of its own: its data stand right below its id.
            if before.text.startswith("id: ") and line.text.startswith("data: "):
                yield exact(line.text.removeprefix("data: ")), line.came_us


@asynccontextmanager
async def curl(*arguments: str) -> AsyncIterator[Curl]:
    """curl with these arguments, unbuffered and with the answer's head, until the block ends."""
    process = await asyncio.create_subprocess_exec(
        "curl", "--no-buffer", "--silent", "--show-error", "--include", *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, limit=2**20,
    )  # fmt: skip
    try:
        yield Curl(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def calm(folder: Path, *, tls: bool = False) -> AsyncIterator[Front]:
    """A gateway that hears a tick of an index now and then, behind nginx."""
    async with (
        scene(folder, {**BEHIND, "keep_alive_s": "5", "always_tickers": "btc_usd"}, market=CALM) as running,
        in_front_of(running.gate, tls=tls) as front,
    ):
        yield front


def check_at_once(ticks: list[tuple[Json, int]]) -> None:
    """Each tick was there before the next one was published: nothing in between has waited for more."""
    for (_, came_us), (following, _) in pairwise(ticks):
        assert came_us < following["published_us"], f"{came_us - following['published_us']} µs too late"


async def test_every_event_passes_at_once(tmp_path: Path) -> None:
    """Promise: event n is at the curl before event n+1 is published, for twenty events."""
    async with calm(tmp_path) as front:
        headers = ("-H", "X-Client-Id: demo-1", "-H", "X-Secret-key: demo-1-secret")
        async with curl(*headers, f"{front.plain.url}{STREAM}?tickers=btc_usd") as reader:
            check_at_once(await reader.ticks(AT_ONCE + 1))
            assert reader.lines[0].text == "HTTP/1.1 200 OK"
            assert "x-content-type-options: nosniff" in [line.text.lower() for line in reader.lines[:30]]


async def test_a_login_and_a_stream_by_tls_and_http_2(tmp_path: Path) -> None:
    """Promise: by TLS a login with HTTP's own scheme and a stream that passes at once, over HTTP/2 as well as 1.1; the
    gateway knows that it is https; the secret is in no log of either.
    """
    async with calm(tmp_path, tls=True) as front:
        trusting = ("--cacert", str(front.certificate))
        login = (
            *("--user", "demo-2:demo-2-secret", "--data", "grant_type=client_credentials"),
            *("--header", f"Origin: {front.tls.url}", f"{front.tls.url}/api/v2/auth/token?cookie=true"),
        )
        for protocol, status in (("--http1.1", "HTTP/1.1 200 OK"), ("--http2", "HTTP/2 200")):
            async with curl(*trusting, protocol, *login) as asker:
                [answer] = await asker.until("{")
                assert asker.lines[0].text.rstrip() == status
                head = {name.lower(): value for name, _, value in (line.text.partition(": ") for line in asker.lines)}
                assert head["strict-transport-security"] == "max-age=31536000"
                assert "; Secure" in head["set-cookie"]
        token = exact(answer.text)["access_token"]
        asked = ("--http2", "--header", f"Authorization: Bearer {token}", f"{front.tls.url}{STREAM}?tickers=btc_usd")
        async with curl(*trusting, *asked) as reader:
            check_at_once(await reader.ticks(AT_ONCE + 1))
            assert reader.lines[0].text.rstrip() == "HTTP/2 200"
        written = front.log_path.read_text() + front.tls.log_path.read_text()
        assert '"protocol":"HTTP/2.0"' in written
        assert "demo-2-secret" not in written
        assert b64encode(b"demo-2:demo-2-secret").decode() not in written
        assert token not in written


async def test_a_quiet_stream_outlives_the_patience_of_nginx(tmp_path: Path) -> None:
    """Promise: a stream without events lives on behind nginx beyond its read timeout, by `keep_alive` alone."""
    patience_s = 2
    # Nothing is said of an instrument of which nothing is known, once its state was told.
    async with (
        gateway(tmp_path, keep_alive_s="0.5", always_tickers="eth_usd", **BEHIND) as gate,
        in_front_of(gate, changed={"proxy_read_timeout 1h": f"proxy_read_timeout {patience_s}s"}) as front,
    ):
        token, _ = await gate.login()
        async with reading(front.plain, token) as reader:
            began_s = time.monotonic()
            beats = 3 * patience_s * 2
            await reader.until(lambda told: len(told.named("keep_alive")) >= beats)
            assert time.monotonic() - began_s > 2 * patience_s
            assert {event.event for event in reader.events} == {"connected", "keep_alive"}
            async with gate.client(token) as client:
                assert (await client.put("/api/v2/subscriptions/btc_usd")).status_code == 201
            await reader.until(lambda told: told.named("message"))
    assert "timed out" not in front.log_path.read_text()


async def test_limits_count_readers_and_not_nginx(tmp_path: Path) -> None:
    """Promise: the limit of streams per address counts the reader's own address, whatever he says that it is."""
    settings = {**BEHIND, "streams_per_address": "1", "keep_alive_s": "1"}
    async with gateway(tmp_path, **settings) as gate, in_front_of(gate) as front:
        token, _ = await gate.login()
        asked = ("-H", f"Authorization: Bearer {token}", f"{front.plain.url}{STREAM}?tickers=btc_usd")
        async with (
            curl("--interface", "127.0.0.2", *asked) as first,
            curl("--interface", "127.0.0.3", *asked) as second,
            curl("--interface", "127.0.0.4", *asked) as third,
        ):
            for reader in (first, second, third):
                assert (await reader.until("HTTP/"))[0].text == "HTTP/1.1 200 OK"
                await reader.until("event: connected")
            forged = ("-H", "X-Forwarded-For: 127.0.0.9", "-H", "Forwarded: for=127.0.0.9")
            async with curl("--interface", "127.0.0.2", *forged, *asked) as again:
                assert (await again.until("HTTP/"))[0].text == "HTTP/1.1 429 Too Many Requests"


def resident_bytes(gate: Gateway) -> int:
    """The memory of the gateway's process."""
    assert gate.process is not None
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{gate.process.pid}/status").read_text())
    assert found
    return int(found[1]) * 1024


async def stalled(front: Front, token: str, query: dict[str, str]) -> list[LightReader]:
    """Readers who have begun, and then read nothing more."""
    readers = []
    for _ in range(SLOW):
        reader = await light_reader(front.plain, token, query, buffer_bytes=SMALL_BUFFER_BYTES)
        await reader.until_told("message", 5)
        reader.stop_reading()
        readers.append(reader)
    return readers


async def test_slow_readers_behind_nginx_cost_nobody_anything(tmp_path: Path) -> None:
    """Promise: whoever reads nothing behind nginx is let go as `slow`, or conflated where he asked for the newest;
    others get every tick, and neither the gateway nor nginx grows with what is not read.
    """
    bounded = {
        **BEHIND,
        "stream_backlog_bytes": "131072",
        "stream_farewell_s": "0.5",
        "log_capacity": "500",
        "log_hard_capacity": "500",
        "log_level": "INFO",
        "stream_ring_events": "500",
        "always_tickers": FAT[0],
    }
    async with scene(tmp_path, bounded, market=RUSH) as running, in_front_of(running.gate) as front:
        gate = running.gate
        operator = await gate.operator()
        token, _ = await gate.login()
        query = {"tickers": ",".join(FAT)}
        async with lightly_reading(front.plain, token, **query) as quick, gate.client(operator) as client:
            await quick.until_told("message", 1000)  # the log and the ring are full from here on
            slow = await stalled(front, token, query) + await stalled(front, token, query | {"mode": "latest"})
            before_bytes, began = resident_bytes(gate) + front.resident_bytes(), len(quick.blocks)

            async def let_go() -> bool:
                return bool((await client.get("/api/v2/operation")).json()["streams"]["slow"] == SLOW)

            await comes_true(let_go, within_s=FALL_BEHIND_S)
            await quick.until_told("message", max(quick.counts["message"], began + 2000))
            unread_bytes = len(slow) * (len(quick.blocks) - began) * EVENT_BYTES
            assert resident_bytes(gate) + front.resident_bytes() - before_bytes < unread_bytes / 2
            for ticker in FAT:
                chain = list(chain_of(quick.blocks, ticker))
                assert all(after[0] == before[1] for before, after in pairwise(chain))
            assert (await client.get("/api/v2/operation")).json()["streams"]["open"] == 1 + SLOW
            for reader in slow:
                reader.leave()
