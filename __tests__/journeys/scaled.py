"""A deployment of real processes: who serves readers, who hears the exchange, who stores; on a Redis and a PostgreSQL
of its own, and nginx in front.
"""

import asyncio
import os
import re
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from redis import Redis

from __tests__.backplane.redis_server import RedisServer, free_port
from __tests__.journeys.gateway import Gateway, Json, exact
from __tests__.journeys.witness import BUSY, Scene, comes_true
from __tests__.postgres_server import PASSWORD, SUPERUSER, PostgresServer
from cryptomarket.simulator.options import SimulatorOptions
from cryptomarket.simulator.server import RunningSimulator
from cryptomarket.simulator.server import running as simulating

AWAY_S = float(os.environ.get("AWAY_S", "4"))
"""How long a server is gone. The long form takes what the figures in docs/ are about."""

NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
NGINX_CONFIGURATION = Path(__file__).resolve().parents[2] / "nginx"
PREFIX = "cryptomarket:simulator:"
SEAL_SECRET = "a seal secret of a deployment under test"
ALL = ("api1", "api2", "ingest1", "ingest2", "write1")
SLOTS = 6
TICKERS = ("btc_usd", "eth_usd", "BTC-PERPETUAL", "ETH-PERPETUAL")
SHOWN_BYTES = 6000

SWIFT = {
    "exchange": "simulator",
    "debug": "False",
    "seal_secret": SEAL_SECRET,
    "token_key": "a token key of a deployment under test",
    "pool_size": str(SLOTS),
    "trusted_proxies": "127.0.0.1",
    "always_tickers": ",".join(TICKERS),
    "pulse_s": "0.4",
    "demand_check_s": "0.2",
    "keep_alive_s": "1",
    "instrument_silence_s": "3",
    "request_timeout_s": "3",
    "renew_channel_s": "1",
    "refused_channel_s": "0.5",
    "redis_timeout_s": "2",
    "redis_connect_timeout_s": "1",
    "postgres_timeout_s": "10",
    "writer_dead_s": "1.5",
}
"""Settings of a deployment whose processes notice soon what has become of the others."""

Named = tuple[object, ...]
"""What a position names: kind, ticker, and what was said."""


@dataclass
class Deployment:
    """Processes by name, a name being a role and a number. `settings` are over `SWIFT`, for all of them."""

    folder: Path
    simulator: RunningSimulator
    redis: RedisServer
    postgres: PostgresServer
    database: str
    settings: Mapping[str, str]
    processes: dict[str, Gateway] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Gateway:
        return self.processes[name]

    def prepared(self, name: str, **settings: str) -> Gateway:
        """A process that is not started yet."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        role = name.rstrip("0123456789")
        given = {key.upper(): value for key, value in {**self.settings, **settings}.items()}
        last_words = "curl -N" if role == "api" else "/ready"
        return Gateway(folder, given, ("serve", "--role", role), last_words=last_words)

    async def start(self, *names: str, **settings: str) -> None:
        """Starts these together, and returns when each is ready."""
        for name in names:
            self.processes[name] = self.prepared(name, **settings)
        await asyncio.gather(*(self.processes[name].start() for name in names))
        await asyncio.gather(*(ready(self.processes[name]) for name in names))

    def scene(self, name: str) -> Scene:
        """The exchange, and one of the processes that serve readers."""
        return Scene(self.simulator, self[name])

    def lease_owners(self) -> list[str | None]:
        """The name of the process that holds each slot, None where nobody does."""
        by_pid = {gate.process.pid: name for name, gate in self.processes.items() if gate.process is not None}
        owners: list[str | None] = []
        with self.redis_client() as client:
            now_us = _time_us(client)
            for slot in range(SLOTS):
                owner, end_us = client.hmget(f"{PREFIX}lease:slot:{slot}", "owner", "end_us")
                is_held = owner is not None and int(end_us or 0) > now_us
                owners.append(by_pid.get(int(owner.partition(b"-")[0] or 0)) if is_held and owner else None)
        return owners

    async def is_shared_by(self, *names: str) -> None:
        """Returns when every slot is held, and each of these holds some."""
        await comes_true(lambda: set(self.lease_owners()) == set(names), within_s=30)

    def redis_client(self) -> Redis:
        """A client of the deployment's Redis."""
        return self.redis.client()

    def logged(self) -> dict[tuple[str, int], Named]:
        """What every position names of which Redis has the log."""
        found = {}
        with self.redis_client() as client:
            for key in client.keys(f"{PREFIX}log:*"):
                epoch = key.decode().rpartition(":")[2]
                for id_, fields in client.xrange(key):
                    named = named_by_entry(fields)
                    if named is not None:
                        found[epoch, int(id_.partition(b"-")[2])] = named
        return found

    def head(self) -> int:
        """The newest sequence."""
        with self.redis_client() as client:
            return int(client.hget(f"{PREFIX}order", "head") or 0)

    def epoch(self) -> str:
        """The epoch."""
        with self.redis_client() as client:
            return (client.hget(f"{PREFIX}order", "epoch") or b"").decode()

    def stored(self) -> dict[tuple[str, int], Named]:
        """What every position names of which the database has a row."""
        found: dict[tuple[str, int], Named] = {}
        for kind, table in (("message", "price_tickers"), ("status", "statuses"), ("gap", "gaps")):
            rows = self.postgres.sql(
                f"SELECT row_to_json(r) FROM crypto.{table} r WHERE epoch IS NOT NULL", self.database
            )
            for line in rows.splitlines():
                row = exact(line)
                place = row["epoch"], row["seq"]
                assert place not in found, f"{place} was stored twice"
                found[place] = named_by(kind, row | {"timestamp": row.get("timestamp_ms")})
        return found

    async def check_stored(self) -> None:
        """Waits until the database equals the log, to the row. Nothing may be published any more."""
        published = self.logged()

        async def differs() -> list[tuple[str, int]]:
            stored = await asyncio.to_thread(self.stored)
            return [place for place in published.keys() | stored.keys() if published.get(place) != stored.get(place)]

        async def equals() -> bool:
            return not await differs()

        try:
            await comes_true(equals, within_s=30)
        except AssertionError:
            apart = sorted(await differs())
            raise AssertionError(f"{len(apart)} of {len(published)} differ, the first {apart[:5]}") from None

    async def check_alive(self, *names: str) -> None:
        """Asserts that these have not died, and that nothing went wrong in them that nobody foresaw."""
        for name in names:
            process = self[name].process
            assert process is not None
            assert process.returncode is None, f"{name} has ended with {process.returncode}"
            said = self[name].log_path.read_text(errors="replace")
            assert "Traceback" not in said, f"{name}: {said[said.index('Traceback') :][:2000]}"
            assert '"critical"' not in said, name

    def show(self) -> None:
        """Prints how each process's log ends."""
        for name, gate in self.processes.items():
            if gate.log_path.exists():
                lines = gate.log_path.read_text(errors="replace").splitlines()
                said = "\n".join(line for line in lines if '"/ready"' not in line)[-SHOWN_BYTES:]
                print(f"---- {name}, {gate.log_path}\n{said}")  # noqa: T201  it is shown where a test has failed


def _time_us(client: Redis) -> int:
    seconds, microseconds = client.time()
    return int(seconds) * 1_000_000 + int(microseconds)


def named_by(kind: str, data: Mapping[str, Json]) -> Named:
    """What an event or row of a kind says, in short."""
    names = {
        "message": ("price", "timestamp", "received_us", "published_us", "prev_seq"),
        "status": ("state", "since_ms", "reason", "prev_seq"),
        "gap": ("from_ms", "to_ms", "cause", "prev_seq"),
    }[kind]
    return (kind, data["ticker"], *(data[name] for name in names))


def named_by_entry(fields: Mapping[bytes, bytes]) -> Named | None:
    """What an entry of the log says, None for a set change."""
    kind = {b"tick": "message", b"status": "status", b"gap": "gap"}.get(fields[b"kind"])
    if kind is None:
        return None
    previous = fields.get(b"prev_seq") or fields.get(b"prev")
    return named_by(kind, {**exact(fields[b"payload"].decode()), "prev_seq": int(previous) if previous else None})


class Ledger:
    """Every position that was ever seen anywhere, with the one event that it names."""

    def __init__(self) -> None:
        self.named: dict[tuple[str, int], Named] = {}

    def note(self, found: Mapping[tuple[str, int], Named]) -> None:
        """Adds these. Asserts that none of them names something else already."""
        for place, named in found.items():
            assert self.named.setdefault(place, named) == named, f"{place} names two events"

    def note_stream(self, events: Sequence[Json]) -> None:
        """Adds what a stream told with an id of its own."""
        for event in events:
            data = exact(event.data) if event.event in {"message", "status", "gap"} else None
            if data is not None and data["seq"] is not None:
                epoch, _, seq = event.id.rpartition("-")
                self.note({(epoch, int(seq)): named_by(event.event, data)})


async def ready(gate: Gateway, *, within_s: float = 30) -> None:
    """Returns when every part of a process is ready."""

    async def is_ready() -> bool:
        async with gate.client() as client:
            with suppress(httpx.TransportError):
                return (await client.get("/ready")).status_code == 200
        return False

    await comes_true(is_ready, within_s=within_s)


@contextmanager
def own_redis(*options: str) -> Iterator[RedisServer]:
    """A Redis that may be killed."""
    # A socket's path is short (108 bytes on Linux), so it isn't in the tests' own long folders.
    with tempfile.TemporaryDirectory(prefix="redis") as folder:
        server = RedisServer(Path(folder), *options, port=free_port())
        server.start()
        try:
            yield server
        finally:
            server.stop(signal.SIGKILL)


@asynccontextmanager
async def deployment(
    folder: Path, postgres: PostgresServer, *names: str, market: SimulatorOptions = BUSY, **settings: str
) -> AsyncIterator[Deployment]:
    """These processes on a Redis of their own, started and ready, until the block ends."""
    with own_redis() as redis:
        async with deployment_on(redis, folder, postgres, *names, market=market, **settings) as built:
            yield built


@asynccontextmanager
async def deployment_on(
    redis: RedisServer,
    folder: Path,
    postgres: PostgresServer,
    *names: str,
    market: SimulatorOptions = BUSY,
    **settings: str,
) -> AsyncIterator[Deployment]:
    """These processes, started and ready, until the block ends; shows their logs when it ends badly."""
    async with AsyncExitStack() as stack:
        simulator = await stack.enter_async_context(simulating(market))
        database = postgres.new_name()
        stack.callback(postgres.drop, database)
        given = {
            **SWIFT,
            "deribit_ws_url": simulator.ws_url,
            "redis_url": f"redis://127.0.0.1:{redis.port}/0",
            "postgres_port": str(postgres.port),
            "postgres_db": database,
            "postgres_user": SUPERUSER,
            "postgres_password": PASSWORD,
            **settings,
        }
        built = Deployment(folder, simulator, redis, postgres, database, given)
        stack.push_async_callback(_end, built)
        try:
            await built.start(*names)
            yield built
        except BaseException:
            built.show()
            raise


async def _end(built: Deployment) -> None:
    """Ends what still runs; what a test has let stand still is ended too."""
    for gate in built.processes.values():
        if gate.process is not None and gate.process.returncode is None:
            gate.process.send_signal(signal.SIGCONT)
            await gate.kill()


@asynccontextmanager
async def in_front(built: Deployment, *names: str) -> AsyncIterator[Gateway]:
    """nginx with our configuration, before these processes: what a client sees of the deployment."""
    folder, prefix = built.folder / "nginx", built.folder / "nginx-prefix"
    prefix.mkdir()
    shutil.copytree(NGINX_CONFIGURATION, folder)
    port = free_port()
    listen, upstream = folder / "listen.conf", folder / "upstream.conf"
    listen.write_text(listen.read_text().replace("8080", f"127.0.0.1:{port}"))
    servers = "\n".join(f"server {built[name].url.removeprefix('http://')} max_fails=0;" for name in names)
    upstream.write_text(re.sub(r"server gateway:8003[^;]*;", servers, upstream.read_text()))
    command = [NGINX, "-p", f"{prefix}/", "-c", str(folder / "nginx.conf"), "-g", "daemon off;"]
    with (built.folder / "nginx.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
    gate = Gateway(built.folder, url=f"http://127.0.0.1:{port}", simulator_url=built.simulator.http_url)
    try:
        await ready(gate)
        yield gate
    finally:
        process.terminate()
        async with asyncio.timeout(20):
            await process.wait()


async def operation(gate: Gateway, token: str) -> Json:
    """What the gateway says that it is doing."""
    async with gate.client(token) as client:
        answer = await client.get("/api/v2/operation")
    assert answer.status_code == 200, answer.text
    return answer.json()
