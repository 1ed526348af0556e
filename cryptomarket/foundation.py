"""What the gateway and the commands that look after it both stand on: database, backplane, keys."""

import fcntl
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import URL, make_url

from cryptomarket.accounts.parts import AccountsParts, AccountsValues, build_accounts
from cryptomarket.backplane.bus import Bus
from cryptomarket.backplane.cache import Cache
from cryptomarket.backplane.demand import Demand
from cryptomarket.backplane.lease import Leases
from cryptomarket.backplane.limiter import Limiter
from cryptomarket.backplane.mailroom import Mailroom
from cryptomarket.backplane.memory import (
    MemoryBus,
    MemoryCache,
    MemoryDemand,
    MemoryLeases,
    MemoryLimiter,
    MemoryMailroom,
)
from cryptomarket.backplane.redis import (
    RedisBus,
    RedisCache,
    RedisDemand,
    RedisLeases,
    RedisLimiter,
    RedisMailroom,
)
from cryptomarket.backplane.redis.address import pool_of
from cryptomarket.clock import Clock
from cryptomarket.db import Database, Waits, opened, server_url, shown
from cryptomarket.errors import StartRefused
from cryptomarket.key_files import given_or_made, keep_privately, open_privately
from cryptomarket.redis_link import at_start, link_to_redis, patience_of
from cryptomarket.secret import Secret
from cryptomarket.settings import DEFAULT_DATA_DIR, Settings


@dataclass(frozen=True, slots=True)
class Backplane:
    """The backplane's parts in this process. `is_shared` says whether other processes stand on the same."""

    bus: Bus
    cache: Cache
    demand: Demand
    leases: Leases
    limiter: Limiter
    mailroom: Mailroom
    is_shared: bool = False


@contextmanager
def alone(settings: Settings) -> Iterator[None]:
    """Holds the store for one gateway: two would each hear and store every tick. Raises StartRefused.

    The system lets go of it when this process ends, however it ends.
    """
    path = settings.database_path
    make_folder(settings)
    if not settings.debug:
        # A server tells its own users apart: see `Database.alone`.
        yield
        return
    with open_privately(path.with_name(f"{path.name}.lock")) as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StartRefused(f"Another gateway runs on {path}; give this one a DATA_DIR of its own.") from None
        yield


def make_folder(settings: Settings) -> None:
    """Makes the data folder, for its owner alone, and no other: a folder that is not there is more often a slip.

    Raises StartRefused.
    """
    data = settings.data_dir
    path = settings.database_path.parent if settings.debug else data
    try:
        if path.resolve() == data.resolve():
            data.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise StartRefused(f"The folder {data} cannot be made: {error.strerror}. Set DATA_DIR to another.") from None
    if not path.is_dir():
        raise StartRefused(f"There is no folder {path} for the database. Make it, or correct SQLITE_PATH.")
    if data == DEFAULT_DATA_DIR:
        # One of an earlier version. Other folders may hold what is not ours to close.
        keep_privately(data, mode=0o700)


def database_url(settings: Settings) -> URL:
    """Which database the settings mean."""
    if settings.debug:
        return make_url(f"sqlite:///{settings.database_path}")
    return server_url(
        host=settings.postgres_host,
        port=settings.postgres_port,
        database=settings.database_name,
        user=settings.postgres_user,
        password=settings.postgres_password.get_secret_value(),
    )


def database_address(settings: Settings) -> str:
    """The same as people and their tools read it, its password starred."""
    return shown(database_url(settings))


def database_waits(settings: Settings) -> Waits:
    """How long a database is waited for."""
    return Waits(
        answer_s=settings.postgres_timeout_s,
        connect_s=settings.database_connect_timeout_s,
        busy_s=settings.sqlite_busy_timeout_s,
    )


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """The database of the settings: made, upgraded, and claimed for their exchange. Raises StartRefused."""
    url = database_url(settings)
    make_folder(settings)
    waits = database_waits(settings)
    await opened(url, exchange=settings.exchange.value, waits=waits)
    database = Database(url, waits=waits)
    try:
        await database.claim(settings.exchange.value)
        if settings.debug:
            _keep_files_privately(settings.database_path)
        yield database
    finally:
        await database.close()


def _keep_files_privately(path: Path) -> None:
    # They are ours, and may be of a version that let others read them.
    for suffix in ("", "-wal", "-shm", ".lock"):
        keep_privately(path.with_name(f"{path.name}{suffix}"), mode=0o600)


def check_addresses(settings: Settings) -> None:
    """Raises StartRefused for an address of Redis that can't be. Nothing is connected."""
    patience = patience_of(settings)
    for url in (settings.redis_address, settings.redis_replica_url.get_secret_value()):
        if url:
            pool_of(url, patience, connections=1)


@asynccontextmanager
async def open_backplane(settings: Settings, clock: Clock) -> AsyncIterator[Backplane]:
    """The backplane of the settings: in this process, or on Redis. Raises StartRefused, also when Redis is away."""
    if not settings.redis_address:
        yield memory_backplane(clock, log_capacity=settings.log_capacity, log_hard_capacity=settings.log_hard_capacity)
        return
    link = link_to_redis(settings, new_epoch=lambda: new_epoch(clock), clock=clock)
    try:
        async with AsyncExitStack() as stack:
            with at_start():
                await stack.enter_async_context(link)
                bus = await stack.enter_async_context(
                    RedisBus(
                        link,
                        log_capacity=settings.log_capacity,
                        log_hard_capacity=settings.log_hard_capacity,
                        dead_s=settings.writer_dead_s,
                    )
                )
            yield Backplane(
                bus,
                RedisCache(link),
                RedisDemand(link),
                RedisLeases(link),
                RedisLimiter(link),
                RedisMailroom(link),
                is_shared=True,
            )
    finally:
        await link.close()


def new_epoch(clock: Clock) -> str:
    """A name for an epoch. It begins with its time, so that epochs sort as they happened."""
    return f"{clock.wall_ms():011x}{secrets.token_hex(3)}"


def memory_backplane(clock: Clock, *, log_capacity: int = 1000, log_hard_capacity: int = 1000) -> Backplane:
    """The embedded backplane, with a new epoch."""
    leases = MemoryLeases(clock.monotonic_s)
    epoch = new_epoch(clock)
    return Backplane(
        MemoryBus(epoch, is_newest=leases.is_newest, log_capacity=log_capacity, log_hard_capacity=log_hard_capacity),
        MemoryCache(clock.monotonic_s),
        MemoryDemand(clock.monotonic_s),
        leases,
        MemoryLimiter(),
        MemoryMailroom(),
    )


def accounts_values(settings: Settings) -> AccountsValues:
    """The plain values of the accounts; keys that nobody gave are made into the data folder."""
    where = settings.data_dir / settings.exchange.value
    return AccountsValues(
        exchange=settings.exchange.value,
        token_key=given_or_made(settings.token_key.get_secret_value(), where.with_suffix(".token.key")),
        seal_secret=given_or_made(settings.seal_secret.get_secret_value(), where.with_suffix(".seal.key")),
        token_life_s=settings.token_life_s,
        failures_per_address=settings.login_failures_per_address,
        failures_per_client=settings.login_failures,
        failure_period_s=settings.login_window_s,
        reread_s=settings.revocations_reread_s,
        streams_per_user=settings.streams_per_user,
        streams_per_address=settings.streams_per_address,
        streams_per_process=settings.streams_per_process,
        login_timeout_s=settings.login_timeout_s,
    )


def seal_secret(settings: Settings) -> Secret:
    """What login letters are sealed with. Raises StartRefused for one that can't be."""
    return accounts_values(settings).seal_secret


def accounts_on(
    settings: Settings,
    database: Database,
    backplane: Backplane,
    clock: Clock,
    *,
    on_revoked: Callable[[str], None],
    on_seen: Callable[[str], None],
) -> AccountsParts:
    """The accounts of these settings. Raises StartRefused for keys that can't be."""
    return build_accounts(
        accounts_values(settings),
        database=database,
        bus=backplane.bus,
        cache=backplane.cache,
        limiter=backplane.limiter,
        mailroom=backplane.mailroom,
        clock=clock,
        random_bytes=secrets.token_bytes,
        on_revoked=on_revoked,
        on_seen=on_seen,
    )
