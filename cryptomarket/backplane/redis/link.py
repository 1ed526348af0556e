"""The way to Redis that the parts of one process share."""

import itertools
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from redis.backoff import AbstractBackoff, FullJitterBackoff
from redis.exceptions import AuthenticationError, NoScriptError

from cryptomarket.backplane.keys import Keys
from cryptomarket.backplane.redis.address import Patience, pool_of
from cryptomarket.backplane.redis.answers import Answer, Command, Value, as_bytes
from cryptomarket.backplane.redis.line import Line
from cryptomarket.backplane.redis.script import Script
from cryptomarket.errors import BusUnavailable, StartRefused

OLDEST_VERSION = (6, 2)
CONNECTIONS = 16
WAITING_CONNECTIONS = 128
_TRANSACTION_BEGIN: Command = ("MULTI",)
_TRANSACTION_END: Command = ("EXEC",)


class RedisLink:
    """The connections of one process, and its name among those that share this Redis.

    `instance` names this start of the process: lower-case letters and digits, never used before. `new_epoch` names an
    epoch, should one begin: never twice the same. `replica_url` is where followers read, if not at the primary; with a
    Sentinel, `read_replicas` says that it is to name one. Commands that wait have connections of their own, so that
    they never keep short ones from being asked. Nothing is repeated here: a caller knows whether it may ask twice.
    """

    def __init__(
        self,
        url: str,
        exchange: str,
        *,
        instance: str,
        new_epoch: Callable[[], str],
        replica_url: str = "",
        read_replicas: bool = False,
        patience: Patience | None = None,
        backoff: AbstractBackoff | None = None,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.keys = Keys(exchange)
        self.instance = instance
        self.patience = patience or Patience()
        self.monotonic_s = monotonic_s
        self._new_epoch = new_epoch
        self._names = itertools.count(1)
        self.backoff = backoff or FullJitterBackoff(cap=1.0, base=0.05)

        def line(address: str, connections: int, *, replica: bool = False) -> Line:
            pool = pool_of(address, self.patience, connections=connections, replica=replica)
            return Line(pool, self.patience, backoff=self.backoff, monotonic_s=monotonic_s)

        self.primary = line(url, CONNECTIONS)
        self._waiting = line(url, WAITING_CONNECTIONS)
        self._replica = line(replica_url or url, CONNECTIONS, replica=True) if replica_url or read_replicas else None

    @property
    def replica(self) -> Line | None:
        """Where followers read, None for the primary."""
        return self._replica

    @property
    def longest_wait_s(self) -> float:
        """How long one command may wait at the server, so that its answer is not late."""
        return self.patience.timeout_s / 2

    def new_name(self) -> str:
        """A name that nobody else has."""
        return f"{self.instance}.{next(self._names)}"

    async def begin(self) -> None:
        """Connects. Raises StartRefused with a sentence when this Redis can't be worked with, BusUnavailable when it
        can't be reached.
        """
        try:
            await self.primary.try_once()
        except AuthenticationError:
            raise StartRefused("Redis wants another user or password than REDIS_URL or REDIS_PASSWORD has.") from None
        server, cluster, memory = await self.primary.ask(("INFO", "server"), ("INFO", "cluster"), ("INFO", "memory"))
        version = _told(server, "redis_version")
        if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_VERSION:
            raise StartRefused(f"Redis {version} is too old; 6.2 or later is wanted.")
        if _told(cluster, "cluster_enabled") == "1":
            raise StartRefused("This Redis is a cluster; one order needs one primary.")
        policy = _told(memory, "maxmemory_policy")
        if _told(memory, "maxmemory") != "0" and policy != "noeviction":
            raise StartRefused(f"This Redis may drop keys ({policy}); set maxmemory-policy to noeviction.")

    async def ask(self, *command: Value) -> Answer:
        """Sends one command that is answered at once. Raises BusUnavailable."""
        return (await self.primary.ask(command))[0]

    async def together(self, *commands: Command) -> list[Answer]:
        """These commands in one step, with nothing of others between. Raises BusUnavailable."""
        answers = await self.primary.ask(_TRANSACTION_BEGIN, *commands, _TRANSACTION_END)
        told = answers[-1]
        if not isinstance(told, list):
            raise BusUnavailable("Redis can't serve now.")
        return told

    async def wait(self, *command: Value) -> Answer:
        """Sends one command that waits at the server, `longest_wait_s` at most. Raises BusUnavailable."""
        return (await self._waiting.ask(command))[0]

    def call_of(self, script: Script, *values: Value) -> Command:
        """The command that runs a script which the server knows."""
        return ("EVALSHA", script.sha, *self._tail(values))

    def _tail(self, values: tuple[Value, ...]) -> Command:
        return (1, self.keys.order, self.keys.prefix, self._new_epoch(), *values)

    async def run(self, script: Script, *values: Value) -> Answer:
        """Runs a script in one atomic step. Raises BusUnavailable."""
        try:
            return await self.ask(*self.call_of(script, *values))
        except NoScriptError:
            return await self.ask("EVAL", script.text, *self._tail(values))

    async def close(self) -> None:
        """Closes every connection."""
        for line in (self.primary, self._waiting, self._replica):
            if line is not None:
                await line.close()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as undo:
            undo.push_async_callback(self.close)
            await self.begin()
            undo.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def _told(info: Answer, name: str) -> str:
    for line in as_bytes(info).decode().splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return value
    return ""
